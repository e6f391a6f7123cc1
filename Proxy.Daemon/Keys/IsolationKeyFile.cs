using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using TorBalancer.Connecting;
using TorBalancer.Daemon.Hosting;
using TorBalancer.Interop;
using TorBalancer.Primitives;

namespace TorBalancer.Daemon.Keys;

/// <summary>
/// Where the isolation key is: [Balancing] KeyFile, systemd's credential (LoadCredential=isolation.key:…), or the state directory, in
/// which it is made when there is none. 64 hexadecimal digits on one line, for the daemon's user alone.
/// </summary>
internal static class IsolationKeyFile
{
    /// <summary>Its name in the state directory and among the credentials.</summary>
    public const string Name = "isolation.key";

    /// <summary>64 digits and the end of the line; a longer file is no key.</summary>
    private const int MaxLength = 128;

    /// <summary>The key in force. Throws <see cref="StartupException"/> that names the file and what is wrong with it.</summary>
    /// <param name="configured">auto, or the path of a file that must be there.</param>
    /// <param name="stateDirectory">Null: nothing is kept, and the key of auto lives as long as the process.</param>
    /// <param name="environment">Gives an environment variable or null.</param>
    /// <param name="notKept">Why the key of auto lives only as long as the process: its file cannot be made. Null: it does not.</param>
    public static IsolationKey Load(
        string configured, string? stateDirectory, Func<string, string?> environment, out string? notKept)
    {
        notKept = null;
        try
        {
            if (!configured.Equals("auto", StringComparison.OrdinalIgnoreCase))
                return Read(configured, FileModes.Others);

            // systemd protects the directory, and may give the group of its own the right to read.
            if (environment("CREDENTIALS_DIRECTORY") is ['/', ..] and var credentials && File.Exists(Path.Combine(credentials, Name)))
                return Read(Path.Combine(credentials, Name), FileModes.Others & ~UnixFileMode.GroupRead);
            if (stateDirectory is null)
                return new IsolationKey();
            string path = Path.Combine(stateDirectory, Name);
            if (!Path.Exists(path))
                notKept = Make(stateDirectory, path);
            return notKept is null ? Read(path, FileModes.Others, isMadeAnew: true) : new IsolationKey();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StartupException($"the isolation key cannot be had: {failure.Message}", failure);
        }
    }

    /// <summary>Why it cannot be made; null: it is there.</summary>
    private static string? Make(string stateDirectory, string path)
    {
        try
        {
            PrivateDirectory.Make(stateDirectory, PrivateDirectoryOptions.MayBeLink | PrivateDirectoryOptions.MayBeOpen);

            // Whole or not at all, and never over another's: of two daemons that begin at once one makes it and both have it.
            string draft = $"{path}.{RandomNumberGenerator.GetHexString(8, lowercase: true)}";
            try
            {
                Write(draft);
                Publish(draft, path);
            }
            finally
            {
                File.Delete(draft);
            }

            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return failure.Message;
        }
    }

    /// <summary>Gives the draft the key's name, unless another has it: that one's key is as good.</summary>
    private static void Publish(string draft, string path)
    {
        // File.Move looks whether the name is free and renames then: of two at once the second would take the first one's place.
        if (OperatingSystem.IsLinux())
        {
            if (FileCalls.Link(draft, path) == 0 || Marshal.GetLastPInvokeError() == Errno.Exists)
                return;
        }

        // A file system without hard links.
        File.Move(draft, path, overwrite: false);
    }

    private static void Write(string draft)
    {
        using var file = new FileStream(draft, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(2 * IsolationKey.Bytes, lowercase: true) + "\n"));
        file.Flush(flushToDisk: true);
    }

    /// <param name="isMadeAnew">The next start makes another where there is none.</param>
    private static IsolationKey Read(string path, UnixFileMode refused, bool isMadeAnew = false)
    {
        if (Directory.Exists(path))
            throw new IOException($"{path} is a directory");
        if (!File.Exists(path))
            throw new IOException($"{path} does not exist; make one with: (umask 077; openssl rand -hex {IsolationKey.Bytes} > {path})");
        if (FileCalls.IsWaitedFor(path))
            throw new IOException($"{path} is a named pipe and no file");
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read);
        if (OperatingSystem.IsLinux())
        {
            // Of what is open, not of what stands at the path by now.
            var status = FileCalls.StatusOf((int)file.SafeFileHandle.DangerousGetHandle())
                ?? throw new IOException($"{path} cannot be examined");
            if (status.Owner != FileCalls.EffectiveUserId && status.Owner != 0)
                throw new IOException($"{path} belongs to another user; it must be the daemon's, or root's");
            if ((status.Permissions & refused) != 0)
            {
                throw new IOException(
                    $"{path} has mode {Convert.ToString((int)status.Permissions, 8).PadLeft(4, '0')}: others could read it or write to it; "
                        + "only 0600 or less is taken");
            }
        }

        byte[] bytes = new byte[MaxLength + 1];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        string text = length > MaxLength ? "" : Encoding.ASCII.GetString(bytes, 0, length).Trim();
        if (text.Length != 2 * IsolationKey.Bytes || !text.All(char.IsAsciiHexDigit))
        {
            throw new IOException(
                $"{path} holds no key: {2 * IsolationKey.Bytes} hexadecimal digits on one line are one"
                    + (isMadeAnew ? "; delete it, and another is made" : ""));
        }

        return new IsolationKey(Convert.FromHexString(text));
    }
}
