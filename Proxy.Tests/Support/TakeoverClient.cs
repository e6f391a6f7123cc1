using System.Net.Sockets;
using System.Text;
using TorBalancer.Daemon.Takeover;
using TorBalancer.Interop;

namespace TorBalancer.Tests.Support;

/// <summary>Where a process that wants to take over dies.</summary>
internal enum TakeoverStep
{
    Connected,
    Upgraded,
    Rubbish,
    OtherVersion,
    Offered,
    HasState,
    WrongWord,
    HasChanges,
    WrongLastWord,
}

/// <summary>A process that begins to take over and goes no further.</summary>
internal static class TakeoverClient
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>Goes so far and closes the connection; why it was refused, or nothing.</summary>
    /// <param name="there">Awaited before the connection is closed.</param>
    public static Task<string> GoAsync(
        string path, TakeoverStep until, CancellationToken token, Func<Task>? there = null) => Task.Run(async () =>
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        string said = Go(socket, until);
        if (there is not null)
            await there();
        return said;
    }, token);

    /// <summary>
    /// Goes so far that clients wait, and sends the last word as soon as that fails; true: it could be sent, so that it has arrived.
    /// </summary>
    public static Task<bool> TryToAcceptLateAsync(string path, Func<Task> late, CancellationToken token) => Task.Run(async () =>
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        Assert.That(Go(socket, TakeoverStep.HasChanges), Is.Empty);
        await late();
        try
        {
            TakeoverFrames.Send((int)socket.Handle, new TakeoverWord(TakeoverWord.Done), TakeoverJson.Default.TakeoverWord);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }, token);

    private static string Go(Socket socket, TakeoverStep until)
    {
        int fd = (int)socket.Handle;
        if (until == TakeoverStep.Connected)
            return "";
        socket.Send(Encoding.ASCII.GetBytes(
            $"POST {TakeoverFrames.Path} HTTP/1.1\r\nHost: localhost\r\n"
                + $"Connection: Upgrade\r\nUpgrade: {TakeoverFrames.Protocol}\r\n\r\n"));
        byte[] one = new byte[1];
        var head = new StringBuilder();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && socket.Receive(one) > 0)
            head.Append((char)one[0]);
        Assert.That(head.ToString(), Does.StartWith("HTTP/1.1 101 "));
        if (until == TakeoverStep.Upgraded)
            return "";
        if (until == TakeoverStep.Rubbish)
        {
            socket.Send([0, 0, 0, 5, .. "{\"a\":"u8]);
            return "";
        }

        int version = until == TakeoverStep.OtherVersion ? 99 : TakeoverFrames.Version;
        TakeoverFrames.Send(fd, new TakeoverHello([version], "a test"), TakeoverJson.Default.TakeoverHello);
        var offer = TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverOffer, Limit);
        if (offer.Refusal is not null)
            return offer.Refusal;
        TakeoverFrames.ReceiveDescriptors(fd, offer.Descriptors.Count, Limit)
            .ForEach(FileCalls.Close);
        if (until == TakeoverStep.Offered)
            return "";
        TakeoverFrames.Send(fd, new TakeoverReady([]), TakeoverJson.Default.TakeoverReady);
        TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverState, Limit);
        if (until == TakeoverStep.HasState)
            return "";
        string word = until == TakeoverStep.WrongWord ? TakeoverWord.Done : TakeoverWord.Stands;
        TakeoverFrames.Send(fd, new TakeoverWord(word), TakeoverJson.Default.TakeoverWord);
        if (until == TakeoverStep.WrongWord)
            return "";
        TakeoverFrames.Receive(fd, TakeoverJson.Default.TakeoverState, Limit);
        if (until == TakeoverStep.WrongLastWord)
            TakeoverFrames.Send(fd, new TakeoverWord(TakeoverWord.Released), TakeoverJson.Default.TakeoverWord);
        return "";
    }
}
