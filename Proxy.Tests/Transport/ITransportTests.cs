using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Linux;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Tests.Transport;

/// <summary>What both engines promise.</summary>
[TestFixture("sockets", 0)]
[TestFixture("linux", 1)]
[TestFixture("linux", 3)]
[CancelAfter(60_000)]
public sealed partial class ITransportTests(string engine, int loops)
{
    private readonly List<Exception> _faults = [];
    private ITransport _transport = null!;

    [OneTimeSetUp]
    public void Create() =>
        _transport = engine == "sockets" ? new SocketTransport(TimeProvider.System) : new LinuxTransport(loops, default, _faults.Add);

    [OneTimeTearDown]
    public void Stop()
    {
        (_transport as IDisposable)?.Dispose();
        Assert.That(_faults, Is.Empty);
    }

    [Test]
    public async Task Listener_of_a_unix_socket_ends_also_when_its_directory_is_gone()
    {
        string directory = Directory.CreateTempSubdirectory("tb-").FullName;
        var listener = _transport.Listen(new UnixDomainSocketEndPoint(Path.Combine(directory, "socket")), new ListenSettings(4, null));
        Directory.Delete(directory, recursive: true);
        await listener.DisposeAsync();
    }

    [Test]
    public async Task Input_reads_keeps_and_gives_again_what_was_not_consumed(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var input = pair.Client.Input;
        Assert.That(input.TryRead(out _), Is.False);
        await pair.ClientPeer.SendAsync(new byte[] { 1, 2, 3 }, token);
        var read = await input.ReadAsync(token);
        input.AdvanceTo(read.Buffer.Start);
        Assert.That(input.TryRead(out read), Is.True, "not examined, so there again");
        input.AdvanceTo(read.Buffer.GetPosition(1), read.Buffer.End);
        Assert.That(input.TryRead(out _), Is.False, "examined, so only what is new is worth a read");

        var waiting = input.ReadAsync(token);
        await pair.ClientPeer.SendAsync(new byte[] { 4 }, token);
        read = await waiting;
        Assert.That(read.Buffer.ToArray(), Is.EqualTo(new byte[] { 2, 3, 4 }));
        input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        pair.ClientPeer.Shutdown(SocketShutdown.Send);
        read = await input.ReadAsync(token);
        Assert.That(read.IsCompleted, Is.True);
        Assert.That(read.Buffer.ToArray(), Is.EqualTo(new byte[] { 2, 3, 4 }));
        input.AdvanceTo(read.Buffer.End);
        Assert.That((await input.ReadAsync(token)).IsCompleted, Is.True);
    }

    [Test]
    public async Task Input_grows_for_one_who_examines_and_consumes_nothing(CancellationToken token)
    {
        const int size = 300_000;
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        byte[] sent = new byte[size];
        new Random(5).NextBytes(sent);
        var sending = pair.ClientPeer.SendAsync(sent, token);
        var input = pair.Client.Input;
        while (true)
        {
            var read = await input.ReadAsync(token);
            if (read.Buffer.Length == size)
            {
                Assert.That(read.Buffer.ToArray(), Is.EqualTo(sent));
                return;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    [Test]
    public async Task CancelPendingRead_ends_the_read_that_waits_or_else_the_next(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var input = pair.Client.Input;
        var waiting = input.ReadAsync(token).AsTask();
        input.CancelPendingRead();
        var read = await waiting;
        Assert.That(read.IsCanceled, Is.True);
        input.AdvanceTo(read.Buffer.Start, read.Buffer.End);

        input.CancelPendingRead();
        Assert.That((await input.ReadAsync(token)).IsCanceled, Is.True);
        input.CancelPendingRead();
        Assert.That(input.TryRead(out read) && read.IsCanceled, Is.True);

        waiting = input.ReadAsync(token).AsTask();
        await pair.ClientPeer.SendAsync(new byte[] { 9 }, token);
        Assert.That((await waiting).Buffer.Length, Is.EqualTo(1));
    }

    [Test]
    public async Task Reads_and_writes_end_by_their_token_and_the_connection_goes_on(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        using (var stop = new CancellationTokenSource())
        {
            var waiting = pair.Client.Input.ReadAsync(stop.Token).AsTask();
            await stop.CancelAsync();
            Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
        }

        await pair.ClientPeer.SendAsync(new byte[] { 1 }, token);
        Assert.That((await pair.Client.Input.ReadAsync(token)).Buffer.Length, Is.EqualTo(1));

        using var stopWrite = new CancellationTokenSource();
        var writing = pair.Client.WriteAsync(new byte[32 * 1024 * 1024], stopWrite.Token).AsTask();
        Assert.That(writing.IsCompleted, Is.False, "nobody reads that much");
        await stopWrite.CancelAsync();
        Assert.That(async () => await writing, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task Write_waits_for_room_and_then_sends_all(CancellationToken token)
    {
        byte[] data = new byte[20 * 1024 * 1024];
        new Random(3).NextBytes(data);
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var writing = pair.Client.WriteAsync(data, token).AsTask();
        var received = ReceiveHashedAsync(pair.ClientPeer, token);
        await writing;
        pair.Client.ShutdownSend();
        Assert.That(await received, Is.EqualTo(Convert.ToHexString(SHA256.HashData(data))));
    }

    [Test]
    public async Task Operations_under_a_close_fail_as_promised(CancellationToken token)
    {
        await using var pair = await TunnelPair.CreateAsync(_transport, token);
        var reading = pair.Client.Input.ReadAsync(token).AsTask();
        pair.Client.Abort();
        Assert.That(async () => await reading, Throws.InstanceOf<IOException>().Or.InstanceOf<ObjectDisposedException>());
        Assert.That(
            async () => await pair.Client.WriteAsync(new byte[1], token),
            Throws.InstanceOf<IOException>().Or.InstanceOf<ObjectDisposedException>());
        Assert.That(async () => await pair.ClientPeer.ReceiveAsync(new byte[1], token), Throws.InstanceOf<SocketException>(), "a reset");
        pair.Client.ShutdownSend();
    }

    [Test]
    public async Task Connect_says_why_it_failed(CancellationToken token)
    {
        using var bound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var refused = await _transport.ConnectAsync(new TransportConnectRequest(bound.LocalEndPoint!), token);
        Assert.That((refused.Connection, refused.Error), Is.EqualTo(((TransportConnection?)null, SocketError.ConnectionRefused)));
        var nowhere = await _transport.ConnectAsync(new TransportConnectRequest(bound.LocalEndPoint!, IPAddress.Parse("192.0.2.7")), token);
        Assert.That(nowhere.Error, Is.EqualTo(SocketError.AddressNotAvailable));
        var noDevice = await _transport.ConnectAsync(new TransportConnectRequest(bound.LocalEndPoint!, null, "nothere0"), token);
        Assert.That(noDevice.Error, Is.Not.EqualTo(SocketError.Success));
        var noFile = await _transport.ConnectAsync(
            new TransportConnectRequest(new UnixDomainSocketEndPoint("/tmp/there-is-no-such-socket")), token);
        Assert.That(noFile.Connection, Is.Null);
    }

    [Test]
    public async Task Connect_leaves_from_the_address_it_is_bound_to(CancellationToken token)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var connected = await _transport.ConnectAsync(
            new TransportConnectRequest(listener.LocalEndPoint!, IPAddress.Parse("127.0.0.9")), token);
        await using var connection = connected.Connection!;
        using var accepted = await listener.AcceptAsync(token);
        Assert.That(accepted.RemoteEndPoint, Is.EqualTo(connection.LocalEndPoint));
        Assert.That(((IPEndPoint)accepted.RemoteEndPoint!).Address, Is.EqualTo(IPAddress.Parse("127.0.0.9")));
        Assert.That(connection.RemoteAddress, Is.EqualTo(IPAddress.Loopback));
    }

    [TestCase("127.0.0.1")]
    [TestCase("::1")]
    public async Task Each_client_is_known_by_its_own_address(string address, CancellationToken token)
    {
        var at = IPAddress.Parse(address);
        using (var probe = new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp))
        {
            try
            {
                probe.Bind(new IPEndPoint(at, 0));
            }
            catch (SocketException failure)
            {
                Assert.Ignore($"this machine has no {at}: {failure.Message}");
            }
        }

        await using var listener = _transport.Listen(new IPEndPoint(at, 0), new ListenSettings(4, null));

        // More than are remembered, and each twice.
        var from = at.AddressFamily == AddressFamily.InterNetwork
            ? Enumerable.Range(1, 200).Select(static i => IPAddress.Parse($"127.1.{i % 7}.{i}"))
            : [at, at];
        foreach (var client in from.Concat(from))
        {
            using var socket = new Socket(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(client, 0));
            await socket.ConnectAsync(listener.LocalEndPoint, token);
            await using var accepted = await listener.AcceptAsync(token);
            Assert.That(accepted.RemoteAddress, Is.EqualTo(client));
        }
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Listener_on_all_addresses_takes_IPv4_clients_when_it_is_to(bool isDualStack, CancellationToken token)
    {
        if (!Socket.OSSupportsIPv6)
            Assert.Ignore("skipped: this machine has no IPv6");
        await using var listener = _transport.Listen(new IPEndPoint(IPAddress.IPv6Any, 0), new ListenSettings(4, null, isDualStack));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var connecting = socket.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndPoint).Port, token);
        if (!isDualStack)
        {
            Assert.That(async () => await connecting, Throws.InstanceOf<SocketException>());
            return;
        }

        await connecting;
        await using var accepted = await listener.AcceptAsync(token);
        Assert.That(accepted.RemoteAddress!.MapToIPv4(), Is.EqualTo(IPAddress.Loopback));
    }

    [Test]
    public async Task Unix_sockets_are_accepted_connected_and_tunnelled(CancellationToken token)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tb-{Guid.NewGuid():N}");
        await using (var listener = _transport.Listen(new UnixDomainSocketEndPoint(path), new ListenSettings(4, null)))
        {
            var accepting = listener.AcceptAsync(token);
            await using var near = (
                await _transport.ConnectAsync(new TransportConnectRequest(new UnixDomainSocketEndPoint(path)), token)).Connection!;
            await using var far = await accepting;
            await near.WriteAsync("hello"u8.ToArray(), token);
            Assert.That((await far.Input.ReadAsync(token)).Buffer.ToArray(), Is.EqualTo("hello"u8.ToArray()));
            Assert.That((near.LocalEndPoint, far.RemoteAddress), Is.EqualTo(((EndPoint?)null, (IPAddress?)null)));
        }

        Assert.That(File.Exists(path), Is.False);
    }

    [Test]
    public async Task Accept_ends_by_its_token_and_by_the_listener_s_end(CancellationToken token)
    {
        var listener = _transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(4, null));
        using var stop = new CancellationTokenSource();
        var accepting = listener.AcceptAsync(stop.Token).AsTask();
        await stop.CancelAsync();
        Assert.That(async () => await accepting, Throws.InstanceOf<OperationCanceledException>());

        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint, token);
        await using (await listener.AcceptAsync(token))
            Assert.That(listener.TryAccept(), Is.Null);
        await listener.DisposeAsync();
        Assert.That(async () => await client.ConnectAsync(listener.LocalEndPoint, token), Throws.Exception);
    }

    private static async Task<byte[]> ReadToEndAsync(Socket socket, CancellationToken token)
    {
        var all = new MemoryStream();
        byte[] buffer = new byte[4096];
        while (await socket.ReceiveAsync(buffer, token) is var count and > 0)
            all.Write(buffer, 0, count);
        return all.ToArray();
    }

    private static async Task<string> SendHashedAsync(Socket socket, int size, int seed, CancellationToken token)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var random = new Random(seed);
        for (int left = size; left > 0;)
        {
            byte[] piece = new byte[Math.Min(left, random.Next(1, 200_000))];
            random.NextBytes(piece);
            hash.AppendData(piece);
            for (int sent = 0; sent < piece.Length;)
                sent += await socket.SendAsync(piece.AsMemory(sent), token);
            left -= piece.Length;
        }

        socket.Shutdown(SocketShutdown.Send);
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private static async Task<string> ReceiveHashedAsync(Socket socket, CancellationToken token)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[64 * 1024];
        while (await socket.ReceiveAsync(buffer, token) is var count and > 0)
            hash.AppendData(buffer, 0, count);
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    /// <summary>Two connections of the engine with a plain socket at the far end of each.</summary>
    private sealed class TunnelPair(
        ITransport transport, TransportConnection client, Socket clientPeer, TransportConnection upstream,
        Socket upstreamPeer) : IAsyncDisposable
    {
        public TransportConnection Client => client;

        public Socket ClientPeer => clientPeer;

        public Socket UpstreamPeer => upstreamPeer;

        public TunnelControl Counters { get; } = new();

        public static async Task<TunnelPair> CreateAsync(ITransport transport, CancellationToken token)
        {
            await using var listener = transport.Listen(new IPEndPoint(IPAddress.Loopback, 0), new ListenSettings(4, null));
            var clientPeer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await clientPeer.ConnectAsync(listener.LocalEndPoint, token);
            var client = await listener.AcceptAsync(token);

            using var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            far.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            far.Listen(1);
            var connected = await transport.ConnectAsync(new TransportConnectRequest(far.LocalEndPoint!), token);
            return new TunnelPair(transport, client, clientPeer, connected.Connection!, await far.AcceptAsync(token));
        }

        /// <summary>Tunnels and closes, as the server does.</summary>
        public async Task<TunnelEnd> Start(CancellationToken token, TimeSpan idle = default)
        {
            var end = await transport.TunnelAsync(client, upstream, new TunnelSettings(Counters, idle), token);
            await client.DisposeAsync();
            await upstream.DisposeAsync();
            return end;
        }

        public async ValueTask DisposeAsync()
        {
            await client.DisposeAsync();
            await upstream.DisposeAsync();
            clientPeer.Dispose();
            upstreamPeer.Dispose();
        }
    }
}
