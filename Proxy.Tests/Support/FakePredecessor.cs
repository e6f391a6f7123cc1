using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Daemon.Takeover;

namespace TorBalancer.Tests.Support;

/// <summary>A running daemon that says its part of a takeover so far and no further. Its process is one that does nothing else.</summary>
internal sealed class FakePredecessor : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Socket _listening = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _path;

    /// <param name="path">Where its admin socket is.</param>
    public FakePredecessor(string path)
    {
        _path = path;
        _process = Process.Start("sleep", "600");
        _listening.Bind(new UnixDomainSocketEndPoint(path));
        _listening.Listen(8);
    }

    /// <summary>Says so much to one who takes over, and ends the connection.</summary>
    /// <param name="after">The last message of the other one that it hears: ready, stands or done.</param>
    /// <param name="dies">Whether its process ends first.</param>
    public async Task RunAsync(string after, bool dies, CancellationToken token)
    {
        using var socket = await _listening.AcceptAsync(token);
        await Task.Run(() => Talk(socket, after), token);
        if (!dies)
            return;
        _process.Kill();
        await _process.WaitForExitAsync(token);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
        _listening.Dispose();
    }

    private void Talk(Socket socket, string after)
    {
        int fd = (int)socket.Handle;
        byte[] one = new byte[1];
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && socket.Receive(one) > 0)
            head.Append((char)one[0]);
        socket.Send("HTTP/1.1 101 Switching Protocols\r\n\r\n"u8);
        TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverHello, Limit);
        var offer = new TakeoverOffer
        {
            Version = TakeoverFrames.Version,
            Program = "a test",
            ProcessId = _process.Id,
            Descriptors = [new TakeoverDescriptor(TakeoverKinds.Admin, "Socket", _path, OwnsFile: true)],
        };
        TakeoverFrames.Send(fd, offer, TakeoverJson.Default.TakeoverOffer);
        TakeoverFrames.SendDescriptors(fd, [(int)_listening.Handle]);
        TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverReady, Limit);
        if (after == "ready")
            return;
        var state = TakeoverState.Empty;
        TakeoverFrames.Send(fd, state, TakeoverJson.Default.TakeoverState);
        TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverWord, Limit);
        if (after == TakeoverWord.Stands)
            return;
        TakeoverFrames.Send(fd, state, TakeoverJson.Default.TakeoverState);
        TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverWord, Limit);
    }
}
