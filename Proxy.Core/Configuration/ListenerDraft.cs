using TorBalancer.Configuration.Options;

namespace TorBalancer.Configuration;

/// <summary>A [Listener:…] while it is read: what several keys decide together waits here until all are known.</summary>
internal sealed class ListenerDraft(string name)
{
    public ListenerOptions Options { get; } = new() { Name = name };

    public List<Credential> Users { get; set; } = [];

    /// <summary>Absolute; null: none.</summary>
    public string? UsersFile { get; set; }

    public void Complete(ConfigurationReader reader, string section)
    {
        AddUsers(Users, _ => reader.Origins.Of(section, "Users"), section, reader.Issues);
        if (UsersFile is not null)
            ReadUsersFile(UsersFile, reader, section);
    }

    private void ReadUsersFile(string path, ConfigurationReader reader, string section)
    {
        var origin = reader.Origins.Of(section, "UsersFile");
        if (!reader.Files.TryRead(path, out string text, out string problem))
        {
            reader.Origins.AddFailed(section, "UsersFile");
            reader.Issues.Error(origin, $"[{section}] UsersFile: {ConfText.Printable(path)} {problem}");
            return;
        }

        reader.WarnIfReadableByAll(path, "holds passwords");
        var users = new List<Credential>();
        var lines = new List<int>();
        int number = 0;
        using var file = new StringReader(text.TrimStart('\uFEFF'));
        while (file.ReadLine() is { } line)
        {
            number++;
            line = line.Trim();
            var at = new ConfigurationOrigin(ConfigurationLayer.File, path, number);
            if (ConfEncoding.Problem(line) is { } unreadable)
            {
                reader.Issues.Error(at, $"the line {unreadable}");
                reader.Origins.AddFailed(section, "UsersFile");
                continue;
            }

            if (line.Length == 0 || line[0] == '#')
                continue;
            if (ValueSyntax.CommentSign(line, isSecret: true) is var (_, sign))
                reader.Issues.Warning(at, $"the {sign} is a part of the password: here a comment is a line of its own");
            var wrong = Credentials.Parse(line, out var credential);
            if (wrong is null)
            {
                users.Add(credential);
                lines.Add(number);
            }
            else
            {
                reader.Origins.AddFailed(section, "UsersFile");
                reader.Issues.Error(at, $"the line {wrong.What}; allowed: name:password, one per line, # for comments");
            }
        }

        AddUsers(users, index => new ConfigurationOrigin(ConfigurationLayer.File, path, lines[index]), section, reader.Issues);
    }

    private void AddUsers(List<Credential> users, Func<int, ConfigurationOrigin> origin, string section, ConfigurationIssues issues)
    {
        for (int i = 0; i < users.Count; i++)
        {
            if (!Options.Users.TryAdd(users[i].User, users[i].Password))
                issues.Error(origin(i), $"[{section}] has a user who is given twice");
        }
    }
}
