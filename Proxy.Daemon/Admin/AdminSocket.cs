using System.Globalization;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Admin;

/// <summary>Where the admin API's unix socket is, and how a place for it is made.</summary>
internal static class AdminSocket
{
    /// <summary>sun_path of sockaddr_un (unix(7)) has 108 bytes, one of them for the closing zero.</summary>
    private const int MaxPath = 107;

    /// <summary>Only the daemon's own user may connect, and root.</summary>
    public const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The path in force, or null for none.</summary>
    /// <param name="configured">auto, unix:/path or none.</param>
    /// <param name="environment">Gives an environment variable or null.</param>
    /// <param name="userId">Whose socket it is.</param>
    /// <param name="directory">What the directory of a user's own is called.</param>
    /// <param name="socket">What the socket is called.</param>
    public static string? Resolve(
        string configured, Func<string, string?> environment, uint userId, string directory = "torbalancer", string socket = "admin.sock")
    {
        if (configured == "none")
            return null;
        if (configured != "auto")
            return configured["unix:".Length..];
        if (environment("RUNTIME_DIRECTORY")?.Split(':')[0] is ['/', ..] and var service)
            return Path.Combine(service, socket);
        return environment("XDG_RUNTIME_DIR") is ['/', ..] and var user && FileCalls.IsOurs(user)
            ? Path.Combine(user, directory, socket)
            : string.Create(CultureInfo.InvariantCulture, $"/tmp/{directory}-{userId}/{socket}");
    }

    /// <summary>A socket that is bound there, and that nobody but our user may connect to. Throws what binding does.</summary>
    public static Socket Bind(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            UnixSocketFile.Bind(socket, path, Mode);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes the directory and takes away a socket that nobody answers at, as a daemon leaves it that was killed. What
    /// stands in the way comes back as a sentence.
    /// </summary>
    /// <param name="ownDirectory">True when the directory is ours to make; one in /tmp must not be somebody else's.</param>
    /// <param name="isInherited">The socket is there and will be ours: another process hands it over.</param>
    public static async Task<(AdminSocketPlace? Place, string Trouble)> TakeAsync(
        string path, bool ownDirectory, CancellationToken cancellationToken, bool isInherited = false)
    {
        if (Encoding.UTF8.GetByteCount(path) > MaxPath)
            return (null, "the path is longer than a unix socket's can be (107 bytes)");
        AdminSocketPlace? place = null;
        try
        {
            place = new AdminSocketPlace(path, ownDirectory ? PrivateDirectory.Open(Path.GetDirectoryName(path)!) : null);
            string? trouble = isInherited ? null : await ClearAsync(place.BindPath, cancellationToken);
            if (trouble is null)
                return (place, "");
            place.Dispose();
            return (null, trouble);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            place?.Dispose();
            return (null, failure.Message);
        }
    }

    private static async Task<string?> ClearAsync(string path, CancellationToken cancellationToken)
    {
        if (Directory.Exists(path))
            return "what is there is a directory";
        if (!File.Exists(path))
            return null;
        if (!UnixSocketFile.Is(path))
            return "what is there is no socket";
        if (await AnswersAsync(path, cancellationToken))
            return "another daemon answers there";
        File.Delete(path);
        return null;
    }

    private static async Task<bool> AnswersAsync(string path, CancellationToken cancellationToken)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return true;
        }
        catch (SocketException failure)
        {
            // A socket file without a listener refuses.
            return failure.SocketErrorCode != SocketError.ConnectionRefused;
        }
    }
}

/// <summary>A place for the socket that is ours as long as this is held.</summary>
/// <param name="path">Where clients find it.</param>
/// <param name="directory">
/// Held open, so that nothing that happens to its name leads us elsewhere; null for one that was named by the operator.
/// </param>
internal sealed class AdminSocketPlace(string path, PrivateDirectory? directory) : IDisposable
{
    public string Path => path;

    /// <summary>Where it is bound, and removed in the end.</summary>
    public string BindPath => directory?.Within(System.IO.Path.GetFileName(path)) ?? path;

    public void Dispose() => directory?.Dispose();
}
