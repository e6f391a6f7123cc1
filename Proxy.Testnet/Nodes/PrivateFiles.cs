using TorBalancer.Interop;

namespace TorBalancer.Testnet.Nodes;

/// <summary>Files and directories for our user only; tor refuses data directories that others may read.</summary>
internal static class PrivateFiles
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Creates it with mode 0700 and returns its path.</summary>
    public static string CreateDirectory(string path)
    {
        PrivateDirectory.Make(path);
        return path;
    }

    /// <summary>Writes it with mode 0600, whole or not at all.</summary>
    public static void Write(string path, string text)
    {
        string temporary = path + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = OwnerOnly };
        using (var writer = new StreamWriter(temporary, options))
            writer.Write(text);
        File.Move(temporary, path, overwrite: true);
    }
}
