using System.Buffers;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Connecting;

[CancelAfter(30_000)]
public class WorkerDialerTests
{
    private static readonly IsolationToken Token = new("00112233445566778899aabbccddeeff");

    private readonly ConnectOptions _options = new() { WorkerTimeout = TimeSpan.FromSeconds(2) };

    [Test]
    public async Task Dial_sends_the_token_and_the_name_in_canonical_form(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        var result = await DialAsync(worker.EndPoint, "Example.COM.", 443, Token, token);
        Assert.That(result.Error.IsError, Is.False, result.Error.ToString());
        await result.Connection!.DisposeAsync();
        Assert.That(worker.Requests.Single(), Is.EqualTo(new FakeWorkerRequest(1, "example.com", 443, "<torS0X>0", Token.Password)));
    }

    [Test]
    public async Task Dial_without_token_offers_no_authentication(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        var result = await DialAsync(worker.EndPoint, "example.com", 80, IsolationToken.None, token);
        await result.Connection!.DisposeAsync();
        Assert.That(worker.Requests.Single().User, Is.Null);
    }

    [TestCase(false, false, null)]
    [TestCase(true, false, null)]
    [TestCase(false, true, null)]
    [TestCase(true, true, "2001:db8::1")]
    public async Task Dial_reads_the_answer_however_it_is_cut_and_keeps_what_is_behind(
        bool dribble, bool skipMethodReply, string? address, CancellationToken token)
    {
        await using var worker = new FakeTorWorker
        {
            Dribble = dribble,
            SkipMethodReply = skipMethodReply,
            Banner = [.. "SSH-2.0-x\r\n"u8],
            ReplyAddress = _ => address is null ? null : IPAddress.Parse(address),
        };
        var result = await DialAsync(worker.EndPoint, "example.com", 22, Token, token);
        Assert.That(result.Error.IsError, Is.False, result.Error.ToString());
        await using var connection = result.Connection!;
        var read = await connection.Input.ReadAtLeastAsync(11, token);
        Assert.That(System.Text.Encoding.ASCII.GetString(read.Buffer.ToArray()), Is.EqualTo("SSH-2.0-x\r\n"));
    }

    [Test]
    public async Task Dial_over_a_unix_socket(CancellationToken token)
    {
        string path = Path.Combine(Path.GetTempPath(), $"tb-{Guid.NewGuid():N}.sock");
        await using var worker = new FakeTorWorker(path);
        var result = await DialAsync(worker.EndPoint, "example.com", 80, Token, token);
        Assert.That(result.Connection, Is.Not.Null);
        await result.Connection!.DisposeAsync();
    }

    [Test]
    public async Task Resolve_gives_the_address_and_resolve_ptr_the_name(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyAddress = _ => IPAddress.Parse("93.184.216.34") };
        var dialer = Dialer();
        HostEndPoint.TryCreate("example.com", 0, out var target);
        var result = await dialer.DialAsync(
            new WorkerModel("w", worker.EndPoint), ProxyCommand.Resolve, target, Token, TimeSpan.FromSeconds(5), token);
        Assert.That(result.Answer.Host, Is.EqualTo("93.184.216.34"));
        Assert.That(worker.Requests.Single().Command, Is.EqualTo(0xF0));
    }

    [Test]
    public async Task Dial_of_a_port_where_nothing_listens_is_worker_refused(CancellationToken token)
    {
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var result = await DialAsync(closed.LocalEndPoint!, "example.com", 80, Token, token);
        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.WorkerRefused));
    }

    [Test]
    public async Task Dial_of_a_worker_that_closes_at_once_is_worker_closed(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { CloseAtOnce = true };
        var result = await DialAsync(worker.EndPoint, "example.com", 80, Token, token);
        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.WorkerClosed));
    }

    [Test]
    public async Task Dial_of_a_silent_worker_is_worker_timeout(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { Silent = true };
        var clock = new ManualTimeProvider();
        var dialer = new WorkerDialer(new SocketTransport(clock), _options, clock);
        HostEndPoint.TryCreate("example.com", 80, out var target);
        var dialling = dialer.DialAsync(
            new WorkerModel("w", worker.EndPoint), ProxyCommand.Connect, target, Token, TimeSpan.FromSeconds(45), token)
            .AsTask();
        clock.Advance(_options.WorkerTimeout);
        Assert.That((await dialling).Error.Cause, Is.EqualTo(FailureCause.WorkerTimeout));
    }

    [Test]
    public async Task Dial_whose_reply_does_not_come_is_connect_timeout_and_not_the_workers_fault(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyGate = new TaskCompletionSource().Task };
        var clock = new ManualTimeProvider();
        var dialer = new WorkerDialer(new SocketTransport(clock), _options, clock);
        HostEndPoint.TryCreate("example.com", 80, out var target);
        var dialling = dialer.DialAsync(
            new WorkerModel("w", worker.EndPoint), ProxyCommand.Connect, target, Token, TimeSpan.FromSeconds(45), token)
            .AsTask();

        // Once the greeting has been read, the timer is set to what is left of the attempt's time.
        while (clock.UntilNextTimer != TimeSpan.FromSeconds(45))
            await Task.Delay(5, token);
        clock.Advance(TimeSpan.FromSeconds(45));
        var error = (await dialling).Error;
        Assert.That(error.Cause, Is.EqualTo(FailureCause.ConnectTimeout));
        Assert.That(error.Side, Is.Not.EqualTo(FailureSide.Worker));
    }

    [Test]
    public async Task Dial_of_a_worker_that_refuses_the_token_says_so(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { RejectAuth = true };
        var result = await DialAsync(worker.EndPoint, "example.com", 80, Token, token);
        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.WorkerAuthRejected));
    }

    [Test]
    public async Task Dial_of_something_that_is_no_socks_server_says_so(CancellationToken token)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            using var client = await listener.AcceptTcpClientAsync(token);
            await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray(), token);
            _ = await client.GetStream().ReadAsync(new byte[1000], token);
        }, token);
        var result = await DialAsync(listener.LocalEndpoint, "example.com", 80, Token, token);
        Assert.That(result.Error.Cause, Is.EqualTo(FailureCause.WorkerProtocol));
        await serving;
    }

    [Test]
    public async Task Dial_that_nobody_waits_for_throws_and_leaves_no_connection(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyGate = new TaskCompletionSource().Task };
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(token);
        HostEndPoint.TryCreate("example.com", 80, out var target);
        var dialling = Dialer()
            .DialAsync(new WorkerModel("w", worker.EndPoint), ProxyCommand.Connect, target, Token, TimeSpan.FromSeconds(45), cancel.Token)
            .AsTask();
        while (worker.Requests.IsEmpty)
            await Task.Delay(5, token);
        await cancel.CancelAsync();
        Assert.That(async () => await dialling, Throws.InstanceOf<OperationCanceledException>());
    }

    private WorkerDialer Dialer() => new(new SocketTransport(TimeProvider.System), _options, TimeProvider.System);

    private async Task<DialResult> DialAsync(EndPoint worker, string host, int port, IsolationToken isolation, CancellationToken token)
    {
        Assert.That(HostEndPoint.TryCreate(host, port, out var target), Is.True);
        return await Dialer()
            .DialAsync(new WorkerModel("w", worker), ProxyCommand.Connect, target, isolation, TimeSpan.FromSeconds(20), token);
    }
}
