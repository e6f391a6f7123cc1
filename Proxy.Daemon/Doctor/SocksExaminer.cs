using System.Net;
using System.Net.Sockets;
using TorBalancer.Interop;
using TorBalancer.Workers;

namespace TorBalancer.Daemon.Doctor;

/// <summary>
/// Asks a SocksPort what it is. Tor answers RESOLVE of an address at once and by itself, so nothing leaves it; other SOCKS servers do not
/// know the command (tor's socks-extensions).
/// </summary>
internal static class SocksExaminer
{
    private const byte Version = 5, NoAuthentication = 0, UserAndPassword = 2, Resolve = 0xF0, IPv4 = 1, Name = 3, NotAllowed = 2;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    // An address of documentation (RFC 5737).
    private static readonly byte[] Address = [192, 0, 2, 1];

    // The name and password that tor 0.4.9 reads as an isolation token, and older ones as any name.
    private static readonly byte[] Credentials = [1, 9, .. "<torS0X>0"u8, 1, (byte)'d'];

    // The same address as a name: what tor's SafeSocks refuses as an address, and nobody has to look up.
    private static readonly byte[] AsName = [Name, 9, .. "192.0.2.1"u8], AsAddress = [IPv4, .. Address];

    /// <summary>What is there, and what is wrong with it.</summary>
    public static async Task<(SocksAnswer Answer, string Problem)> AskAsync(WorkerModel worker, CancellationToken cancellationToken)
    {
        var (answer, problem) = await AskAsync(worker, AsAddress, cancellationToken);
        if (answer != SocksAnswer.SafeSocks)
            return (answer, problem);
        bool isTor = (await AskAsync(worker, AsName, cancellationToken)).Answer == SocksAnswer.Tor;
        return isTor ? (answer, "") : (SocksAnswer.OtherSocks, "it does not know tor's RESOLVE");
    }

    private static async Task<(SocksAnswer Answer, string Problem)> AskAsync(
        WorkerModel worker, byte[] question, CancellationToken cancellationToken)
    {
        using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timer.CancelAfter(Limit);
        var endPoint = worker.SocksEndPoint;
        using var socket = endPoint is IPEndPoint
            ? new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            worker.RequestTo(endPoint).Binding.Apply(socket);
            await socket.ConnectAsync(endPoint, timer.Token);
        }
        catch (SocketException failure)
        {
            return (SocksAnswer.Unreachable, UnixSocketFile.MessageOf(endPoint, failure));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (SocksAnswer.Unreachable, "no answer within 5 s");
        }

        try
        {
            return await TalkAsync(socket, question, timer.Token);
        }
        catch (Exception failure) when (failure is SocketException or EndOfStreamException)
        {
            return (SocksAnswer.NoSocks, "it ended the connection");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (SocksAnswer.NoSocks, "it said nothing within 5 s");
        }
    }

    private static async Task<(SocksAnswer Answer, string Problem)> TalkAsync(
        Socket socket, byte[] question, CancellationToken cancellationToken)
    {
        await socket.SendAsync((byte[])[Version, 2, NoAuthentication, UserAndPassword], cancellationToken);
        byte[] method = await ReadAsync(socket, 2, cancellationToken);
        if (method[0] != Version)
            return (SocksAnswer.NoSocks, "what answers speaks no SOCKS5");
        if (method[1] == UserAndPassword)
        {
            await socket.SendAsync(Credentials, cancellationToken);
            if ((await ReadAsync(socket, 2, cancellationToken))[1] != 0)
                return (SocksAnswer.OtherSocks, "it refuses the name that tor reads as an isolation token");
        }
        else if (method[1] != NoAuthentication)
        {
            return (SocksAnswer.OtherSocks, "it wants an authentication that nobody was told of");
        }

        await socket.SendAsync((byte[])[Version, Resolve, 0, .. question, 0, 0], cancellationToken);
        byte[] reply;
        try
        {
            reply = await ReadAsync(socket, 4, cancellationToken);
        }
        catch (Exception failure) when (failure is SocketException or EndOfStreamException)
        {
            return (SocksAnswer.OtherSocks, "it does not know tor's RESOLVE");
        }

        if (reply is [Version, NotAllowed, ..])
            return (SocksAnswer.SafeSocks, "it refuses to be asked for an address");
        return reply is [Version, 0, _, IPv4] && (await ReadAsync(socket, 4, cancellationToken)).AsSpan().SequenceEqual(Address)
            ? (SocksAnswer.Tor, "")
            : (SocksAnswer.OtherSocks, "it does not know tor's RESOLVE");
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count, CancellationToken cancellationToken)
    {
        var bytes = new byte[count];
        for (int read = 0; read < count;)
        {
            int more = await socket.ReceiveAsync(bytes.AsMemory(read), cancellationToken);
            if (more == 0)
                throw new EndOfStreamException();
            read += more;
        }

        return bytes;
    }
}
