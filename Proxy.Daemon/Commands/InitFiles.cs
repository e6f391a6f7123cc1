using System.Text;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Commands;

/// <summary>Writes below one directory, readable for nobody else, and over nothing that is there unless told so.</summary>
internal sealed class InitFiles(string directory, bool force)
{
    public const string WorkersConf = "torbalancer.workers.conf";
    public const string ReadMe = "README.txt";

    private const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite, PrivateFolder = PrivateFile
        | UnixFileMode.UserExecute;

    public string Directory { get; } = Path.GetFullPath(directory);

    public int Written { get; private set; }

    /// <summary>Before anything is made: half of an old set and half of a new one would fit nowhere.</summary>
    public void RequireAbsent(IEnumerable<string> paths)
    {
        if (!force && paths.FirstOrDefault(path => File.Exists(Path.Combine(Directory, path))) is { } taken)
            throw new InitException(
                $"{Path.Combine(Directory, taken)} is there already; name another --output, or --force to replace it and its keys");
    }

    public void Write(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    public void Write(string path, ReadOnlySpan<byte> content)
    {
        string full = Path.Combine(Directory, path);
        try
        {
            SharedFolders.Check(full);
            System.IO.Directory.CreateDirectory(Path.GetDirectoryName(full)!, PrivateFolder);
            SharedFolders.Check(full);
            File.Delete(full);
            // Unbuffered: what is written may be a key, and no copy of it stays behind.
            using var file = new FileStream(
                full,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = PrivateFile,
                    BufferSize = 0,
                });
            file.Write(content);
            Written++;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InitException($"cannot write {full}: {failure.Message}");
        }
    }
}
