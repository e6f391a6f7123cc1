using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;
using TorBalancer.Workers;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// What a worker's SocksPort answers, through a whole attempt: greeting, authentication, reply. The first byte says what is asked, and of
/// what kind of worker.
/// </summary>
internal static class SocksWorkerTarget
{
    private static readonly HostEndPoint Target = HostEndPoint.TryCreate("example.com", 443, out var target) ? target : default;

    public static void Check(byte[] input)
    {
        if (input.Length == 0)
            return;
        byte[] answer = input[1..];
        var whole = Dial(input[0], answer, Pieces.Whole(answer));
        Expect.Same(whole, Dial(input[0], answer, Pieces.Of(answer)), "an attempt ends the same however the answer arrives");
        if (!whole.Error.IsError && whole.Answer != default)
            SocksClientTarget.CheckTarget(whole.Answer);
    }

    private static Outcome Dial(byte kind, byte[] answer, int[] ends)
    {
        var token = (kind & 1) == 0 ? IsolationToken.None : new IsolationToken(new string('a', 32));
        var command = ((kind >> 1) & 3) switch { 1 => ProxyCommand.Resolve, 2 => ProxyCommand.ResolvePtr, _ => ProxyCommand.Connect };
        var worker = new WorkerModel("w1", new IPEndPoint(IPAddress.Loopback, 9050)) { IsTor = (kind & 8) == 0 };
        var transport = new Answering(answer, ends);
        var pipelining = new SocksPipelining(transport, time: FrozenTime.Instance);
        if ((kind & 0x30) == 0x10)
            pipelining.Works(worker);
        else if ((kind & 0x30) == 0x20)
            pipelining.Fails(worker);
        var dialer = new WorkerDialer(transport, new ConnectOptions(), FrozenTime.Instance, sockets: null, pipelining);

        // Of a worker that is not known yet the cancelled check is awaited.
        var result = Expect.Soon(dialer.DialAsync(worker, command, Target, token, TimeSpan.FromMinutes(1), default));
        Expect.That(result.Connection is null || !result.Error.IsError, "an attempt that failed has no connection");
        return new Outcome(
            result.Error, result.Answer, result.Connection is not null, result.IsProven,
            result.Connection is ScriptedConnection { Script.Consumed: var taken } ? taken : 0);
    }

    private readonly record struct Outcome(ProxyError Error, HostEndPoint Answer, bool IsOpen, bool IsProven, int Taken);

    /// <summary>Every connection brings the same bytes.</summary>
    private sealed class Answering(byte[] answer, int[] ends) : ITransport
    {
        public string Name => "scripted";

        public ITransportListener Listen(EndPoint address, ListenSettings settings) => throw new NotSupportedException();

        public ValueTask<TransportConnectResult> ConnectAsync(TransportConnectRequest request, CancellationToken cancellationToken) =>
            ValueTask.FromResult(new TransportConnectResult(new ScriptedConnection(answer, ends), SocketError.Success));

        public void BeginTunnel(
            TransportConnection client, TransportConnection upstream, TunnelSettings settings, ITunnelOwner owner) =>
            throw new NotSupportedException();
    }
}
