using System.Globalization;

namespace TorBalancer.Interop;

/// <summary>Something that stands in a folder where everybody may put things (/tmp) is not what it has to be.</summary>
internal sealed class UntrustedPathException(string message) : IOException(message);

/// <summary>
/// Looks at the way to a path. In a folder that everybody may write to, a name may have been put there by anybody, as a directory or as
/// a link to elsewhere; it is trusted only when it belongs to us, to root, or to the owner of "/" (root, seen from a user namespace).
/// </summary>
internal static class SharedFolders
{
    // MAXSYMLINKS of the kernel is 40; nobody needs a tenth of that.
    private const int MaxLinks = 8;

    /// <summary>
    /// Throws <see cref="UntrustedPathException"/> when somebody else has put a part of the path there. What does not exist yet is
    /// nobody's.
    /// </summary>
    /// <param name="path">An absolute path.</param>
    public static void Check(string path)
    {
        if (OperatingSystem.IsLinux())
            Check(path, 0);
    }

    /// <summary>A user as people find him in /etc/passwd.</summary>
    public static string Describe(uint user) => string.Create(CultureInfo.InvariantCulture, $"user {user}");

    /// <summary>Throws <see cref="UntrustedPathException"/> when anybody may have put it there, and somebody else has.</summary>
    /// <param name="folder">Where it stands.</param>
    /// <param name="found">It; of a symbolic link the link itself.</param>
    /// <param name="at">Its path.</param>
    public static void Check(FileStatus folder, FileStatus found, string at)
    {
        if (folder.IsWritableByAll
            && found.Owner != 0
            && found.Owner != FileCalls.EffectiveUserId
            && found.Owner != FileCalls.StatusOf("/", followLinks: true)?.Owner)
            throw new UntrustedPathException(
                $"{at} belongs to {Describe(found.Owner)}, and in {Path.GetDirectoryName(at)} anybody may have put it there");
    }

    private static void Check(string path, int links)
    {
        if (FileCalls.StatusOf("/", followLinks: true) is not { } root)
            return;
        string folder = "/";
        var folderStatus = root;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            string at = folder == "/" ? "/" + name : $"{folder}/{name}";
            if (FileCalls.StatusOf(at, followLinks: false) is not { } status)
                return;
            Check(folderStatus, status, at);
            if (status.IsLink)
            {
                if (links == MaxLinks)
                    throw new UntrustedPathException($"{at} leads through too many symbolic links");
                if (new FileInfo(at).LinkTarget is { } target)
                    Check(Path.GetFullPath(target, folder), links + 1);
                if (FileCalls.StatusOf(at, followLinks: true) is not { } followed)
                    return;
                status = followed;
            }

            (folder, folderStatus) = (at, status);
        }
    }
}
