using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Interop;

namespace TorBalancer.Configuration.Reading;

/// <summary>Puts the users of a listener together: those of the key and those of its file.</summary>
internal sealed class ListenerCompletion(GivenValues given, IConfigurationFiles files, ConfigurationIssues issues)
{
    /// <param name="section">The section's path, as messages name it.</param>
    public void Complete(ListenerDraft draft, string section)
    {
        var origin = given.OriginOf(section, "Users");
        foreach (var user in draft.Users)
        {
            if (ProblemHere(user.Password) is { } problem)
            {
                given.AddFailed(section, "Users");
                issues.Error(origin, $"[{section}] Users {problem}");
            }
            else
            {
                Add(draft, user, origin, section);
            }
        }

        if (draft.Options.Auth != ListenerAuth.None)
            WarnOfPlainText(draft.Users, origin, $"[{section}] Users: ");
        if (draft.Options.UsersFile is { } path)
            ReadUsersFile(draft, path, section);
    }

    /// <summary>Why the system cannot verify a hash; null: it can, or it is no hash.</summary>
    private static string? ProblemHere(string secret) => !PasswordHash.IsWhole(secret)
        ? null
        : CryptCalls.SupportOf(secret) switch
        {
            CryptSupport.Supported => null,
            CryptSupport.LibraryMissing => $"has a hash of kind {PasswordHash.KindOf(secret)}, which needs {CryptCalls.Library} "
                + "(Debian: libcrypt1; Fedora: libxcrypt-compat), and that is not installed or too old",
            _ => $"has a hash of kind {PasswordHash.KindOf(secret)}, which this system's {CryptCalls.Library} cannot verify",
        };

    //  name:password      one user; the password may hold colons, and every sign is a part of it
    //  name:hash          as htpasswd writes it
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
            if (wrong is null && ProblemHere(credential.Password) is { } problemHere)
                wrong = new ValueProblem(problemHere, ShowAllowed: false);
            if (wrong is null)
            {
                users.Add((credential, at));
            }
            else
            {
                given.AddFailed(section, "UsersFile");
                string allowed = wrong.ShowAllowed ? "; allowed: name:password or name:hash, one per line, # for comments" : "";
                issues.Error(at, $"the line {wrong.What}{allowed}");
            }
        }

        if (draft.Options.Auth != ListenerAuth.None)
            WarnOfPlainText([.. users.Select(static one => one.User)], new ConfigurationOrigin(ConfigurationLayer.File, path), "");
        foreach (var (user, origin) in users)
            Add(draft, user, origin, section);
    }

    /// <summary>Says how many there are, and names none.</summary>
    private void WarnOfPlainText(List<Credential> users, ConfigurationOrigin origin, string where)
    {
        int plain = users.Count(static user => !PasswordHash.IsWhole(user.Password));
        if (plain == 0)
            return;
        string count = string.Create(CultureInfo.InvariantCulture, $"{plain} of {users.Count} passwords");
        string what = users.Count == 1 ? "the password is" : plain == 1 ? $"{count} is" : $"{count} are";
        issues.Warning(origin, $"{where}{what} in plain text; `torbalancer user add` writes hashes to a UsersFile");
    }

    private void Add(ListenerDraft draft, Credential user, ConfigurationOrigin origin, string section)
    {
        if (!draft.Options.Users.TryAdd(user.User, user.Password))
            issues.Error(origin, $"[{section}] has a user who is given twice");
    }
}
