using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Tests.Protocols.ProxyProtocol;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>Clients who speak TLS with the listener.</summary>
[CancelAfter(30_000)]
[SupportedOSPlatform("linux")]
public class TlsListenerTests
{
    private const int Bulk = 20 * 1024 * 1024;

    private static readonly byte[] Request = SocksClient.Request("a.example", 80);

    private string _directory = "";
    private X509Certificate2 _certificate = null!;
    private FakeTorWorker _worker = null!;

    private string Certificate => Path.Combine(_directory, "cert.pem");

    private string Key => Path.Combine(_directory, "key.pem");

    [SetUp]
    public void Make()
    {
        _directory = Directory.CreateTempSubdirectory("tbt").FullName;
        _certificate = TestCertificate.Write(_directory);
        _worker = new FakeTorWorker();
    }

    [TearDown]
    public async Task RemoveAsync()
    {
        await _worker.DisposeAsync();
        _certificate.Dispose();
        Directory.Delete(_directory, true);
    }

    [TestCase("http://a.example/")]
    [TestCase("--proxytunnel", "http://a.example/")]
    [TestCase("--tls-max", "1.2", "--proxytunnel", "http://a.example/")]
    public async Task Curl_is_served(params string[] arguments)
    {
        using var time = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        _worker.OnStream = AnswerAsync;
        await using var proxy = await StartAsync();
        var result = await ClientProcess.CurlAsync(
            time.Token, ["--proxy", $"https://{proxy.Address}", "--proxy-cacert", Certificate, .. arguments]);

        Assert.That(result.Output, Is.EqualTo("hello"), result.Error);
    }

    [Test]
    public async Task Browsers_are_told_of_it(CancellationToken token)
    {
        await using var proxy = await StartAsync();
        var result = await ClientProcess.CurlAsync(token, "--cacert", Certificate, $"https://{proxy.Address}/proxy.pac");

        Assert.That(result.Output, Does.Contain($"return \"HTTPS {proxy.Address}\";"), result.Error);
    }

    [Test]
    public async Task OpenSSL_carries_socks(CancellationToken token)
    {
        _worker.OnStream = AnswerAsync;
        await using var proxy = await StartAsync();
        var result = await ClientProcess.RunAsync(
            "openssl",
            ["s_client", "-connect", $"{proxy.Address}", "-quiet", "-verify_quiet", "-verify_return_error", "-CAfile", Certificate],
            token, input: [5, 1, 0, .. Request, .. "GET"u8]);

        Assert.That(result.Output, Does.EndWith("\r\n\r\nhello"), result.Error);
        Assert.That(result.Bytes[..4], Is.EqualTo(new byte[] { 5, 0, 5, 0 }));
    }

    [Test]
    [Category(ProgramRun.Native)]
    public async Task Daemon_serves_curl_in_TLS(CancellationToken token)
    {
        _worker.OnStream = AnswerAsync;
        int port = FreePort.Find();
        await using var daemon = await DaemonUnderTest.StartAsync(
            $"[Listener:tls]\nAddress = 127.0.0.1:{port}\nTls = {Certificate}, {Key}\n[Health]\nEnabled = no\n"
                + ReloadableProxy.Worker("w", _worker), token);
        foreach (string how in (string[])["--get", "--proxytunnel"])
        {
            var result = await ClientProcess.CurlAsync(
                token, "--proxy", $"https://127.0.0.1:{port}", "--proxy-cacert", Certificate, how, "http://a.example/");
            Assert.That(result.Output, Is.EqualTo("hello"), result.Error + string.Join('\n', daemon.Lines));
        }
    }

    [Test]
    public async Task What_goes_through_arrives_whole(
        [Values(EngineKind.Linux, EngineKind.Sockets)] EngineKind engine, [Values] bool upload, CancellationToken token)
    {
        byte[] data = RandomNumberGenerator.GetBytes(Bulk);
        var received = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        _worker.OnStream = async (stream, _, stop) =>
        {
            if (upload)
                received.SetResult(await SocksClient.ReadToEndAsync(stream, stop));
            else
                await stream.WriteAsync(data, stop);
        };
        await using var proxy = await StartAsync(options => options.Engine.Transport = engine);
        await using var client = await OpenAsync(proxy, token);
        if (upload)
        {
            await client.WriteAsync(data, token);
            await client.ShutdownAsync();
        }
        else
        {
            received.SetResult(await ReadToEndAsync(client, token));
        }

        Assert.That(SHA256.HashData(await received.Task.WaitAsync(token)), Is.EqualTo(SHA256.HashData(data)));
        if (upload)
            Assert.That(await ReadToEndAsync(client, token), Is.Empty);
        else
            await client.ShutdownAsync();
        var line = (await proxy.Log.WaitForConnectionsAsync(1, token)).Single();
        Assert.That(AccessEntry.Field(line, "end"), Is.EqualTo("finished"), line.Message);
        Assert.That(AccessEntry.Field(line, upload ? "sent" : "received"), Is.EqualTo($"{Bulk}"));
    }

    [Test]
    public async Task Client_that_has_finished_gets_its_answer(CancellationToken token)
    {
        _worker.OnStream = static async (stream, _, stop) =>
        {
            byte[] all = await SocksClient.ReadToEndAsync(stream, stop);
            await stream.WriteAsync((byte[])[.. "got "u8, .. all], stop);
        };
        await using var proxy = await StartAsync();
        await using var client = await OpenAsync(proxy, token);
        await client.WriteAsync("all"u8.ToArray(), token);
        await client.ShutdownAsync();

        Assert.That(await ReadToEndAsync(client, token), Is.EqualTo("got all"u8.ToArray()));
    }

    [Test]
    public async Task Worker_that_has_finished_still_hears_the_client(
        [Values(SslProtocols.Tls12, SslProtocols.Tls13)] SslProtocols version, CancellationToken token)
    {
        var heard = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        _worker.OnStream = async (stream, _, stop) =>
        {
            await stream.WriteAsync("bye"u8.ToArray(), stop);
            stream.Socket.Shutdown(SocketShutdown.Send);
            heard.SetResult(await SocksClient.ReadToEndAsync(stream, stop));
        };
        await using var proxy = await StartAsync();
        await using var client = await OpenAsync(proxy, token, version);
        Assert.That(await ReadToEndAsync(client, token), Is.EqualTo("bye"u8.ToArray()));
        await client.WriteAsync("after"u8.ToArray(), token);
        await client.ShutdownAsync();

        Assert.That(await heard.Task.WaitAsync(token), Is.EqualTo("after"u8.ToArray()));
    }

    [Test]
    public async Task Reset_does_not_look_like_an_end([Values] bool ofTheClient, CancellationToken token)
    {
        var ended = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _worker.OnStream = async (stream, _, stop) =>
        {
            await stream.WriteAsync("x"u8.ToArray(), stop);
            await stream.ReadExactlyAsync(new byte[1], stop);
            if (!ofTheClient)
            {
                stream.Socket.LingerState = new LingerOption(true, 0);
                stream.Socket.Dispose();
                return;
            }

            try
            {
                ended.SetResult(await stream.ReadAsync(new byte[1], stop) == 0);
            }
            catch (IOException)
            {
                ended.SetResult(false);
            }
        };
        await using var proxy = await StartAsync();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await using var client = await OpenAsync(proxy, token, socket: socket);
        await client.ReadExactlyAsync(new byte[1], token);
        await client.WriteAsync("y"u8.ToArray(), token);
        if (ofTheClient)
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
            Assert.That(await ended.Task.WaitAsync(token), Is.False);
        }
        else
        {
            Assert.That(async () => await ReadToEndAsync(client, token), Throws.InstanceOf<IOException>());
        }

        var line = (await proxy.Log.WaitForConnectionsAsync(1, token)).Single();
        Assert.That(AccessEntry.Field(line, "end"), Is.EqualTo(ofTheClient ? "client_reset" : "upstream_reset"));
    }

    [Test]
    public async Task Idle_limit_and_the_operator_end_it(CancellationToken token)
    {
        await using var proxy = await StartAsync(static options => options.Tunnel.IdleTimeout = TimeSpan.FromMilliseconds(300));
        await using var idle = await OpenAsync(proxy, token);
        Assert.That(async () => await ReadToEndAsync(idle, token), Throws.InstanceOf<IOException>());
        Assert.That(
            AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token)).Single(), "end"), Is.EqualTo("idle_timeout"));

        await using var unlimited = await StartAsync();
        await using var other = await OpenAsync(unlimited, token);
        foreach (var connection in unlimited.Server.Connections.All)
            connection.Abort(TorBalancer.Transport.TunnelEnd.Drained);
        Assert.That(async () => await ReadToEndAsync(other, token), Throws.InstanceOf<IOException>());
        Assert.That(AccessEntry.Field((await unlimited.Log.WaitForConnectionsAsync(1, token)).Single(), "end"), Is.EqualTo("drained"));
    }

    [TestCase("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [TestCase("\u0005\u0001\0", "")]
    public async Task Client_without_TLS_is_closed_and_told_of(string sent, string answer, CancellationToken token)
    {
        await using var proxy = await StartAsync();
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(Encoding.Latin1.GetBytes(sent), token);
        string got = "";
        try
        {
            got = Encoding.Latin1.GetString(await SocksClient.ReadToEndAsync(client, token));
        }
        catch (IOException) when (answer.Length == 0)
        {
            // What was not read makes a close a reset.
        }

        client.Close();
        Assert.That(got, answer.Length > 0 ? Does.StartWith(answer) : Is.Empty);
        await proxy.Log.WaitForConnectionsAsync(1, token);
        Assert.That(proxy.Log.Entries.Count(static one => one.Event.Id == ServerEventIds.PlainOnTlsPort), Is.EqualTo(1));
    }

    [Test]
    public async Task Handshake_has_its_time(CancellationToken token)
    {
        await using var proxy = await StartAsync(static options => options.Listeners[0].HandshakeTimeout = TimeSpan.FromMilliseconds(200));
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync(new byte[] { 0x16, 3, 1 }, token);
        try
        {
            Assert.That(await SocksClient.ReadToEndAsync(client, token), Is.Empty);
        }
        catch (IOException)
        {
        }

        Assert.That(
            AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token)).Single(), "cause"), Is.EqualTo("handshake_timeout"));
    }

    [Test]
    public async Task Http_2_is_not_agreed_on(CancellationToken token)
    {
        await using var proxy = await StartAsync();
        await using var both = await HandshakeAsync(
            await proxy.ConnectAsync(), token, protocols: [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11]);
        Assert.That(both.NegotiatedApplicationProtocol, Is.EqualTo(SslApplicationProtocol.Http11));
        Assert.That(
            async () => await HandshakeAsync(await proxy.ConnectAsync(), token, protocols: [SslApplicationProtocol.Http2]),
            Throws.InstanceOf<AuthenticationException>());
    }

    [Test]
    public async Task Header_of_a_balancer_comes_before_TLS(CancellationToken token)
    {
        await using var proxy = await StartAsync(
            static options => options.Listeners[0].ProxyProtocol = new ProxyProtocolPeers(false, [IPNetwork.Parse("127.0.0.1/32")]));
        var plain = await proxy.ConnectAsync();
        await plain.WriteAsync(ProxyHeaders.Binary("192.0.2.7"), token);
        await using (var client = await HandshakeAsync(plain, token))
            await AskAsync(client, token);

        Assert.That(AccessEntry.Field((await proxy.Log.WaitForConnectionsAsync(1, token)).Single(), "client"), Is.EqualTo("192.0.2.7"));
    }

    [Test]
    public async Task Renewed_certificate_is_shown_and_a_wrong_one_is_not(CancellationToken token)
    {
        string text = $"[Listener:main]\nAddress = 127.0.0.1:0\nTls = cert.pem, key.pem\n{ReloadableProxy.Worker("w", _worker)}";
        await using var proxy = await ReloadableProxy.StartAsync(text.Replace("cert.pem, key.pem", $"{Certificate}, {Key}"));
        await using var living = await HandshakeAsync(await proxy.ConnectAsync(), token);
        await AskAsync(living, token);
        Assert.That(Shown(living), Is.EqualTo(_certificate.Thumbprint));

        // By the look of each minute.
        using var second = TestCertificate.Write(_directory);
        proxy.Get<ListenerCertificates>().Look();
        Assert.That(await ShownNextAsync(), Is.EqualTo(second.Thumbprint));

        // Half renewed: the key has yet to come.
        using var third = TestCertificate.Create();
        await File.WriteAllTextAsync(Certificate, third.ExportCertificatePem(), token);
        proxy.Get<ListenerCertificates>().Look();
        proxy.Get<ListenerCertificates>().Look();
        Assert.That(await ShownNextAsync(), Is.EqualTo(second.Thumbprint));
        string kept = proxy.Log.Entries.Single(static one => one.Event.Id == ServerEventIds.CertificateKept).Message;
        Assert.That(kept, Does.Contain($"{Key} does not belong to the certificate in {Certificate}"));
        string configuration = await File.ReadAllTextAsync(proxy.File, token);
        Assert.That((await proxy.ReloadAsync(configuration)).Errors, Has.Count.EqualTo(1));
        Assert.That(await ShownNextAsync(), Is.EqualTo(second.Thumbprint));

        // By a reload.
        TestCertificate.Write(_directory, third);
        Assert.That((await proxy.ReloadAsync(configuration)).Errors, Is.Empty);
        Assert.That(await ShownNextAsync(), Is.EqualTo(third.Thumbprint));

        await living.WriteAsync("still"u8.ToArray(), token);
        byte[] echo = new byte[5];
        await living.ReadExactlyAsync(echo, token);
        Assert.That(echo, Is.EqualTo("still"u8.ToArray()));

        async Task<string> ShownNextAsync()
        {
            await using var next = await HandshakeAsync(await proxy.ConnectAsync(), token);
            return Shown(next);
        }
    }

    private static string Shown(SslStream client) => ((X509Certificate2)client.RemoteCertificate!).Thumbprint;

    private static async Task<SslStream> HandshakeAsync(
        NetworkStream plain, CancellationToken token, SslProtocols version = SslProtocols.None,
        List<SslApplicationProtocol>? protocols = null)
    {
        var client = new SslStream(plain);
        await client.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "127.0.0.1",
                EnabledSslProtocols = version,
                ApplicationProtocols = protocols,
                RemoteCertificateValidationCallback = static (_, shown, _, _) => shown?.Subject == "CN=TorBalancer test origin",
            }, token);
        return client;
    }

    /// <summary>Asks for a stream in SOCKS5.</summary>
    private static async Task AskAsync(SslStream client, CancellationToken token)
    {
        await client.WriteAsync((byte[])[5, 1, 0, .. Request], token);
        byte[] answer = new byte[12];
        await client.ReadExactlyAsync(answer, token);
        Assert.That(answer[..4], Is.EqualTo(new byte[] { 5, 0, 5, 0 }));
    }

    private static async Task<SslStream> OpenAsync(
        ProxyUnderTest proxy, CancellationToken token, SslProtocols version = SslProtocols.None, Socket? socket = null)
    {
        socket ??= new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy.Address, token);
        var client = await HandshakeAsync(new NetworkStream(socket, ownsSocket: true), token, version);
        await AskAsync(client, token);
        return client;
    }

    private static async Task<byte[]> ReadToEndAsync(SslStream client, CancellationToken token)
    {
        using var all = new MemoryStream();
        await client.CopyToAsync(all, token);
        return all.ToArray();
    }

    private static async Task AnswerAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        _ = await stream.ReadAsync(new byte[4096], token);
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray(), token);
    }

    private Task<ProxyUnderTest> StartAsync(Action<TorBalancerOptions>? configure = null) => ProxyUnderTest.StartAsync(
        [_worker.EndPoint], options =>
        {
            options.Listeners[0].Tls = new CertificateFiles(Certificate, Key);
            configure?.Invoke(options);
        });
}
