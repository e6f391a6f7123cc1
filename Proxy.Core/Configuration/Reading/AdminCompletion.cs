using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>Reads the admin API's token from its file.</summary>
internal sealed class AdminCompletion(GivenValues given, IConfigurationFiles files, ConfigurationIssues issues)
{
    private const string Section = "Admin", Key = "TokenFile";

    public void Complete(AdminOptions admin)
    {
        if (admin.TokenFile is not { } path)
            return;
        if (given.IsSet(Section, "Token"))
        {
            Refuse("and Token are both given: only one of them may be");
            return;
        }

        if (!files.TryRead(path, out string text, out string problem))
        {
            Refuse($"{ConfText.Printable(path)} {problem}");
            return;
        }

        SecretFiles.WarnIfReadableByAll(path, files, issues);
        string token = text.Split('\n', 2)[0].Trim();
        if (Values.BearerToken.Parse(token, default, out _) is { } wrong)
            Refuse($"the token in {ConfText.Printable(path)} {wrong.What}; allowed: {Values.BearerToken.Allowed}");
        else
            admin.Token = token;
    }

    private void Refuse(string what)
    {
        given.AddFailed(Section, Key);
        issues.Error(given.OriginOf(Section, Key), $"[{Section}] {Key} {what}");
    }
}
