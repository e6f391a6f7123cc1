using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reading;

/// <summary>Puts the users of a listener together: those of the key and those of its file.</summary>
internal sealed class ListenerCompletion(GivenValues given, IConfigurationFiles files, ConfigurationIssues issues)
{
    /// <param name="section">The section's path, as messages name it.</param>
    public void Complete(ListenerDraft draft, string section)
    {
        var origin = given.OriginOf(section, "Users");
        foreach (var user in draft.Users)
            Add(draft, user, origin, section);
        if (draft.UsersFile is { } path)
            ReadUsersFile(draft, path, section);
    }

    //  name:password      one user; the password may hold colons, and every sign is a part of it
    //  # comment          a line of its own
    private void ReadUsersFile(ListenerDraft draft, string path, string section)
    {
        if (!files.TryRead(path, out string text, out string problem))
        {
            given.AddFailed(section, "UsersFile");
            issues.Error(given.OriginOf(section, "UsersFile"), $"[{section}] UsersFile: {ConfText.Printable(path)} {problem}");
            return;
        }

        SecretFiles.WarnIfReadableByAll(path, files, issues);

        // After all lines have been read: a line that is wrong is said before a user who is there twice.
        var users = new List<(Credential User, ConfigurationOrigin Origin)>();
        int number = 0;
        using var file = new StringReader(text.TrimStart('\uFEFF'));
        while (file.ReadLine() is { } line)
        {
            number++;
            line = line.Trim();
            var at = new ConfigurationOrigin(ConfigurationLayer.File, path, number);
            if (ConfEncoding.Problem(line) is { } unreadable)
            {
                issues.Error(at, $"the line {unreadable}");
                given.AddFailed(section, "UsersFile");
                continue;
            }

            if (line.Length == 0 || line[0] == '#')
                continue;
            if (ForeignMarks.CommentSign(line, isSecret: true) is var (_, sign))
                issues.Warning(at, $"the {sign} is a part of the password: here a comment is a line of its own");
            var wrong = Credentials.Parse(line, out var credential);
            if (wrong is null)
            {
                users.Add((credential, at));
            }
            else
            {
                given.AddFailed(section, "UsersFile");
                issues.Error(at, $"the line {wrong.What}; allowed: name:password, one per line, # for comments");
            }
        }

        foreach (var (user, origin) in users)
            Add(draft, user, origin, section);
    }

    private void Add(ListenerDraft draft, Credential user, ConfigurationOrigin origin, string section)
    {
        if (!draft.Options.Users.TryAdd(user.User, user.Password))
            issues.Error(origin, $"[{section}] has a user who is given twice");
    }
}
