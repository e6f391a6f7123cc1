using System.Runtime.InteropServices;
using System.Text;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Users;

/// <summary>A file of users while it is edited: comments, order and everything else stay as they are.</summary>
internal sealed class UsersFileText
{
    private const UnixFileMode New = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _path;
    private readonly List<string> _lines;

    private UsersFileText(string path, List<string> lines, bool exists) => (_path, _lines, Exists) = (path, lines, exists);

    /// <summary>False: it is made by <see cref="Write"/>.</summary>
    public bool Exists { get; }

    /// <summary>Reads it, or says why that cannot be done, as a predicate. A file that does not exist is an empty one.</summary>
    public static UsersFileText? Read(string path, out string problem)
    {
        problem = "";
        if (!Path.Exists(path))
            return new UsersFileText(path, [], exists: false);
        if (!DiskFiles.Instance.TryRead(path, out string text, out problem))
            return null;
        var lines = new List<string>();
        using var reader = new StringReader(text);
        while (reader.ReadLine() is { } line)
        {
            if (ConfEncoding.Problem(line) is { } unreadable)
            {
                problem = $"cannot be edited: line {lines.Count + 1} {unreadable}";
                return null;
            }

            lines.Add(line);
        }

        return new UsersFileText(path, lines, exists: true);
    }

    /// <summary>The password or hash of a user; null: there is no such user.</summary>
    public string? SecretOf(string name) =>
        IndexOf(name) is >= 0 and var at && Credentials.Parse(_lines[at].Trim().TrimStart('\uFEFF'), out var credential) is null
            ? credential.Password
            : null;

    /// <summary>Gives a user this secret; true when the user is new, whose line is then the last one.</summary>
    public bool Set(string name, string secret)
    {
        string line = $"{name}:{secret}";
        if (IndexOf(name) is >= 0 and var at)
        {
            _lines[at] = line;
            return false;
        }

        _lines.Add(line);
        return true;
    }

    /// <summary>Takes every line of a user out; false: there was none.</summary>
    public bool Remove(string name)
    {
        bool any = false;
        for (int at = IndexOf(name); at >= 0; at = IndexOf(name))
        {
            _lines.RemoveAt(at);
            any = true;
        }

        return any;
    }

    /// <summary>
    /// Puts the file in the place of the old one in one step, with its owner, group and permissions; a new one is the caller's own, mode
    /// 0600. Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>, and then nothing has changed.
    /// </summary>
    public void Write()
    {
        // What a link leads to is replaced, not the link.
        string path = (Exists ? File.ResolveLinkTarget(_path, returnFinalTarget: true)?.FullName : null) ?? Path.GetFullPath(_path);
        string unfinished = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.new");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = New;
        using (var stream = new FileStream(unfinished, options))
        {
            try
            {
                KeepOwner(path, unfinished);
                stream.Write(Encoding.UTF8.GetBytes(string.Concat(_lines.Select(static line => line + "\n"))));
                stream.Flush(flushToDisk: true);
                File.Move(unfinished, path, overwrite: true);
            }
            catch
            {
                File.Delete(unfinished);
                throw;
            }
        }
    }

    private static void KeepOwner(string old, string unfinished)
    {
        if (!OperatingSystem.IsLinux() || FileCalls.StatusOf(old, followLinks: true) is not { } before
            || FileCalls.StatusOf(unfinished, followLinks: false) is not { } after)
            return;
        bool isOthers = before.Owner != after.Owner || before.Group != after.Group;
        if (isOthers && FileCalls.ChangeOwner(unfinished, before.Owner, before.Group) != 0)
        {
            throw new IOException(
                $"its owner and group cannot be kept: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        }

        File.SetUnixFileMode(unfinished, before.Permissions);
    }

    /// <summary>The last line of a user: an earlier one is an error that the daemon names.</summary>
    private int IndexOf(string name) => _lines.FindLastIndex(line =>
    {
        string text = line.Trim().TrimStart('\uFEFF');
        int colon = text.IndexOf(':');
        return colon > 0 && text[0] != '#' && text[..colon].TrimEnd() == name;
    });
}
