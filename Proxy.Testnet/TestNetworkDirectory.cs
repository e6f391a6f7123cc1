using System.Globalization;
using System.Security.Cryptography;
using TorBalancer.Interop;
using TorBalancer.Testnet.Nodes;

namespace TorBalancer.Testnet;

/// <summary>Where a network lives: made by us, for our user only, and removed only if it is one of ours.</summary>
internal static class TestNetworkDirectory
{
    // Nothing without this file is ever removed.
    private const string Marker = ".torbalancer-testnet";

    /// <summary>
    /// True when we made a network in it. Another user's is never looked into: what stands there says which processes to end.
    /// </summary>
    public static bool IsOurs(string directory) =>
        PrivateDirectory.IsOurs(Path.TrimEndingDirectorySeparator(directory)) && File.Exists(MarkerPath(directory));

    /// <summary>When it was made, UTC.</summary>
    public static DateTimeOffset MadeAt(string directory) => File.GetLastWriteTimeUtc(MarkerPath(directory));

    /// <summary>Makes it, or takes an empty one. Null: a fresh one below the temporary directory. Returns its full path.</summary>
    public static string Create(string? directory)
    {
        string path = Path.GetFullPath(
            directory ?? Path.Combine(Path.GetTempPath(), "torbalancer-testnet-" + RandomNumberGenerator.GetHexString(8, true)));
        Check(path);
        try
        {
            PrivateFiles.CreateDirectory(path);
            PrivateFiles.Write(
                MarkerPath(path), "A private Tor network of TorBalancer. The directory is removed when the network stops.\n");
            return path;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new TestNetworkException($"{path} cannot be made: {failure.Message}", failure);
        }
    }

    /// <summary>Removes it with all it holds, if it is ours.</summary>
    public static void Remove(string directory)
    {
        if (IsOurs(directory))
            Directory.Delete(directory, recursive: true);
    }

    private static string MarkerPath(string directory) => Path.Combine(directory, Marker);

    private static void Check(string path)
    {
        if (path.Length > TestNetworkOptions.MaxDirectoryLength)
        {
            throw new TestNetworkException(string.Create(
                CultureInfo.InvariantCulture,
                $"{path} is {path.Length} characters long; control sockets below it leave room for "
                    + $"{TestNetworkOptions.MaxDirectoryLength}"));
        }

        if (path.AsSpan().IndexOfAny(" \t\"#\\") >= 0 || path.Any(char.IsControl))
            throw new TestNetworkException($"{path} contains a character that torrc files give a meaning to");
        if (Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Any())
            throw new TestNetworkException($"{path} is not empty");
    }
}
