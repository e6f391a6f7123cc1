using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;
using TorBalancer.Transport.Tls;

namespace TorBalancer.Tests.Transport;

/// <summary>
/// A client that has finished and takes its answer slowly: close_notify, without which it cannot tell a whole answer from one that was cut
/// (RFC 8446, section 6.1), waits for room in the kernel's buffer, and closing waits for it.
/// </summary>
[CancelAfter(30_000), SupportedOSPlatform("linux")]
public sealed class TlsFarewellTests
{
    // A record with an alert, encrypted (RFC 8446, section 5.2): five octets of header, two of alert, one of type, sixteen of tag.
    private const int CloseNotifyBytes = 24;

    [Test]
    public async Task Slow_client_that_has_finished_gets_close_notify_however_late(CancellationToken token)
    {
        using var certificate = TestCertificate.Create();
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        var server = new FullConnection(new TestSocketConnection(far));
        await using var raw = new NetworkStream(near, ownsSocket: true);
        await using var client = Client(raw, certificate);
        var accepting = TlsConnection.AcceptAsync(server, Options(certificate), token);
        await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, token);
        await using var tls = await accepting;
        await client.WriteAsync("all"u8.ToArray(), token);
        await client.ShutdownAsync();
        near.Shutdown(SocketShutdown.Send);
        await tls.WriteAsync("answer"u8.ToArray(), token);
        byte[] answer = new byte[6];
        await client.ReadExactlyAsync(answer, token);

        var clock = new ManualTimeProvider();
        var full = new TaskCompletionSource();
        server.Room = full.Task;
        var closing = CloseAsync(tls, clock);
        while (server.Waiting == 0)
            await Task.Delay(5, token);

        // Longer than closing by itself would wait.
        await Task.Delay(TimeSpan.FromSeconds(1.5), token);
        Assert.That(closing.IsCompleted, Is.False);
        full.SetResult();
        await closing.WaitAsync(token);
        byte[] rest = await SocksClient.ReadToEndAsync(raw, token);
        Assert.That(rest, Has.Length.EqualTo(CloseNotifyBytes), "close_notify, and FIN behind it");
    }

    [Test]
    public async Task Client_that_takes_nothing_more_is_given_up(CancellationToken token)
    {
        using var certificate = TestCertificate.Create();
        var (near, far) = await TestSocketConnection.ConnectPairAsync();
        var server = new FullConnection(new TestSocketConnection(far));
        await using var raw = new NetworkStream(near, ownsSocket: true);
        await using var client = Client(raw, certificate);
        var accepting = TlsConnection.AcceptAsync(server, Options(certificate), token);
        await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, token);
        await using var tls = await accepting;
        await client.ShutdownAsync();
        near.Shutdown(SocketShutdown.Send);

        var clock = new ManualTimeProvider();
        server.Room = new TaskCompletionSource().Task;
        var closing = CloseAsync(tls, clock);
        while (!closing.IsCompleted)
        {
            token.ThrowIfCancellationRequested();
            clock.Advance(LingeringClose.Silence);
            await Task.Delay(5, token);
        }

        await closing;
    }

    private static SslStream Client(NetworkStream raw, X509Certificate2 certificate) => new(
        raw, leaveInnerStreamOpen: false, (_, presented, _, _) => presented?.GetCertHashString() == certificate.GetCertHashString());

    private static async Task CloseAsync(TlsConnection tls, TimeProvider clock)
    {
        await new LingeringClose(clock).FinishAsync(tls, CancellationToken.None, CancellationToken.None);
        await tls.DisposeAsync();
    }

    private static SslServerAuthenticationOptions Options(X509Certificate2 certificate) =>
        new() { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null) };

    /// <summary>Writes wait until there is room.</summary>
    private sealed class FullConnection(TransportConnection inner) : TransportConnection
    {
        private int _waiting;

        public Task Room { get; set; } = Task.CompletedTask;

        public int Waiting => Volatile.Read(ref _waiting);

        public override EndPoint? LocalEndPoint => inner.LocalEndPoint;

        public override IPAddress? RemoteAddress => inner.RemoteAddress;

        public override PipeReader Input => inner.Input;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken = default)
        {
            if (!Room.IsCompleted)
            {
                Interlocked.Increment(ref _waiting);
                await Room.WaitAsync(cancellationToken);
            }

            await inner.WriteAsync(data, cancellationToken);
        }

        public override bool TryClaim() => false;

        public override void Schedule(IThreadPoolWorkItem work) => inner.Schedule(work);

        public override void ShutdownSend() => inner.ShutdownSend();

        public override void Abort() => inner.Abort();

        public override ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
