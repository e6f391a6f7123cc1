using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary>
/// What the first bytes name decides which rule holds, and nothing else: real clients of TLS to a real server beyond the exits, and
/// servers that speak first. The rule rejects ads.test, and all these connections go to an address.
/// </summary>
public sealed partial class TransparentTests
{
    private const string Denied = "www.ads.test", Fine = "fine.test";

    // A client of TLS by hand: what OpenSSL says first is cut, or divided into several records, as other programs do it. It ends with what
    // became of it.
    private const string HandMadeTls = """
        import socket, ssl, sys, time
        name, port, how = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=name if name != '-' else None)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        hello = outgoing.read()
        if how == 'records':
            body = hello[5:]
            parts = [body[i:i + 40] for i in range(0, len(body), 40)]
            hello = b''.join(hello[:3] + len(part).to_bytes(2, 'big') + part for part in parts)
        s = socket.create_connection(('198.51.100.1', port), timeout=30)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if how == 'late':
                time.sleep(1)
            if how == 'segments':
                for i in range(0, len(hello), 100):
                    s.sendall(hello[i:i + 100])
            else:
                s.sendall(hello)
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    s.sendall(outgoing.read())
                    data = s.recv(65536)
                    if not data:
                        print('closed'); sys.exit()
                    incoming.write(data)
            s.sendall(outgoing.read())
            print('served by', tls.version())
        except OSError as failure:
            print(type(failure).__name__)
        """;

    /// <summary>Whole, in several segments, in several records, with a key share that takes two packets (Chromium's).</summary>
    [Test, CancelAfter(150_000)]
    public async Task Server_name_of_TLS_picks_the_rule_however_its_bytes_come(CancellationToken token)
    {
        const int port = 8443;
        await using var server = await ServeTlsAsync(port, token);
        foreach (string how in (string[])["whole", "records", "segments"])
        {
            // Pieces that a loaded machine sends late are no name: then another try has them in time.
            string ended = "";
            for (int i = 0; i < (how == "segments" ? 10 : 1) && ended != "ConnectionResetError"; i++)
                ended = await SpeakTlsAsync(Denied, port, how, token);
            Assert.That(ended, Is.EqualTo("ConnectionResetError"), how);
            Assert.That(await SpeakTlsAsync(Fine, port, how, token), Is.EqualTo("served by TLSv1.3"), how);
        }

        await _daemon.WaitForLineAsync(
            static line => line.Contains("target=198.51.100.1:8443 ", StringComparison.Ordinal)
                && line.Contains("cause=route_rejected", StringComparison.Ordinal), token, after: 2);
        Assert.That(
            _daemon.Lines.Where(static line => line.Contains("cause=route_rejected", StringComparison.Ordinal)),
            Has.All.Contains(" worker=- ").And.All.Contains(" attempts=0 "), "nobody was asked");

        // Real programs, whose first bytes have GREASE in them, a place for ECH, and keys that fill more than a packet.
        string[] Where(string name) => ["-sSk", "--resolve", Text($"{name}:{port}:198.51.100.1"), Text($"https://{name}:{port}/")];
        var curl = await _lab.Lan[0].TryAsync(token, ["curl", "--disable", .. Where(Denied)]);
        Assert.That(curl.Error, Does.Contain("reset by peer"));
        Assert.That(await CurlAsync(0, token, Where(Fine)), Does.Contain("s_server"));
        await BrowseAsync(Denied, port, token);
        await _daemon.WaitForLineAsync(
            static line => line.Contains("target=198.51.100.1:8443 ", StringComparison.Ordinal)
                && line.Contains("cause=route_rejected", StringComparison.Ordinal), token, after: 4);
        Assert.That(await BrowseAsync(Fine, port, token), Does.Contain("s_server"));
    }

    /// <summary>The rule is about a name, and no name is known: the address decides alone.</summary>
    [Test, CancelAfter(90_000)]
    public async Task Client_that_names_nothing_or_names_it_late_goes_by_its_address(CancellationToken token)
    {
        const int port = 8444;
        await using var server = await ServeTlsAsync(port, token);

        Assert.That(await SpeakTlsAsync("-", port, "whole", token), Is.EqualTo("served by TLSv1.3"), "no server name");
        Assert.That(await SpeakTlsAsync(Denied, port, "late", token), Is.EqualTo("served by TLSv1.3"), "behind the time that is waited");
        Assert.That(await CurlAsync(0, token, "-k", $"https://198.51.100.1:{port}/"), Does.Contain("s_server"));
    }

    /// <summary>Mail and ssh: the client says nothing until it has heard something.</summary>
    [Test, CancelAfter(90_000)]
    public async Task Server_that_speaks_first_is_heard(CancellationToken token)
    {
        await using var server = ForegroundProcess.Start(
        [
            .. _lab.WorldHost.Under, ClientProcess.Require("python3"), "-u", "-c", """
                import socketserver
                class Mail(socketserver.StreamRequestHandler):
                    def handle(self):
                        self.wfile.write(b'220 mail.test ESMTP\r\n')
                        self.wfile.write(b'250 ' + self.rfile.readline())
                socketserver.ThreadingTCPServer.allow_reuse_address = True
                with socketserver.ThreadingTCPServer(('127.0.31.1', 8025), Mail) as server:
                    print('ready')
                    server.serve_forever()
                """,
        ]);
        await server.WaitForLineAsync("ready", token);

        string said = await _lab.Lan[0].RunAsync(token, "python3", "-c", """
            import socket, time
            began = time.monotonic()
            s = socket.create_connection(('198.51.100.1', 8025), timeout=30)
            f = s.makefile('rwb')
            print(f.readline().decode().strip())
            f.write(b'EHLO Host: www.ads.test\r\n'); f.flush()
            print(f.readline().decode().strip())
            print(f'{time.monotonic() - began:.3f} s')
            """);

        TestContext.Out.WriteLine(said);
        Assert.That(said.Split('\n')[..2], Is.EqualTo(new[] { "220 mail.test ESMTP", "250 EHLO Host: www.ads.test" }));
    }

    private async Task<string> SpeakTlsAsync(string name, int port, string how, CancellationToken token) =>
        (await _lab.Lan[0].RunAsync(token, "python3", "-c", HandMadeTls, name, Text($"{port}"), how)).Trim();

    /// <summary>What Chromium shows of a page of this name at the server's address.</summary>
    private async Task<string> BrowseAsync(string name, int port, CancellationToken token)
    {
        string profile = Made("profile-" + name);
        var result = await ClientProcess.RunAsync(
            _lab.Lan[0].Under[0],
            [
                .. _lab.Lan[0].Under[1..], ClientProcess.Require("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--ignore-certificate-errors", $"--host-resolver-rules=MAP {name} 198.51.100.1",
                $"--user-data-dir={profile}", "--dump-dom", Text($"https://{name}:{port}/"),
            ],
            token, new Dictionary<string, string> { ["HOME"] = profile });
        return result.Output;
    }

    /// <summary>OpenSSL's own server, which answers each request with what it knows of the connection.</summary>
    private async Task<ForegroundProcess> ServeTlsAsync(int port, CancellationToken token)
    {
        string directory = Made(Text($"tls{port}"));
        TestCertificate.Write(directory).Dispose();
        var server = ForegroundProcess.Start(
        [
            .. _lab.WorldHost.Under, ClientProcess.Require("openssl"), "s_server", "-accept", Text($"127.0.31.1:{port}"), "-www",
            "-cert", Path.Combine(directory, "cert.pem"), "-key", Path.Combine(directory, "key.pem"),
        ]);
        await server.WaitForLineAsync("ACCEPT", token);
        return server;
    }
}
