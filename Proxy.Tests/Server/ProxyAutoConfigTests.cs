using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;
using TorBalancer.Tests.Admin;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Server;

/// <summary>/proxy.pac on the proxy's port and on the admin API's.</summary>
[CancelAfter(30_000)]
public class ProxyAutoConfigTests
{
    [TestCase("GET /proxy.pac HTTP/1.1\r\nHost: {0}\r\n", "PROXY {0}; SOCKS5 {0}")]
    [TestCase("GET /proxy.pac HTTP/1.0\r\n", "PROXY {0}; SOCKS5 {0}", Description = "where the connection has come")]
    [TestCase("GET /proxy.pac HTTP/1.1\r\nHost: gate.example:8080\r\n", "PROXY gate.example:8080; SOCKS5 gate.example:8080")]
    [TestCase("GET /proxy.pac HTTP/1.1\r\nHost: [::1]:1080\r\n", "PROXY [::1]:1080; SOCKS5 [::1]:1080")]
    [TestCase("GET /proxy.pac HTTP/1.1\r\nHost: gate.example\r\n", "PROXY gate.example:80; SOCKS5 gate.example:80")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: {0}\r\n", "PROXY {0}; SOCKS5 {0}")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: wpad\r\n", "PROXY wpad:80; SOCKS5 wpad:80", Description = "its port is turned here")]
    [TestCase("GET /wpad.dat HTTP/1.0\r\n", "PROXY {0}; SOCKS5 {0}", Description = "the address that the connection has come to")]
    [TestCase("GET /proxy.pac HTTP/1.1\r\nHost: it's\r\n", "PROXY {0}; SOCKS5 {0}", Description = "nothing else gets into a program")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: \r\n", "PROXY {0}; SOCKS5 {0}", Description = "no host")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: wpad:0\r\n", "PROXY {0}; SOCKS5 {0}", Description = "no port")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: a\";alert(1);\"\r\n", "PROXY {0}; SOCKS5 {0}")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: [::1\r\n", "PROXY {0}; SOCKS5 {0}")]
    [TestCase("GET /wpad.dat HTTP/1.1\r\nHost: me@gate.example\r\n", "PROXY {0}; SOCKS5 {0}")]
    public async Task Asker_is_told_the_address_that_it_has_used(string request, string chain, CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        string answer = await AskAsync(proxy, request + "Connection: close\r\n\r\n", token);

        Assert.That(answer, Does.StartWith("HTTP/1.1 200 OK\r\n").And.Contain("\r\nContent-Type: application/x-ns-proxy-autoconfig\r\n"));
        Assert.That(answer, Does.Contain($"return \"{chain.Replace("{0}", proxy.Address.ToString(), StringComparison.Ordinal)}\";"));
        Assert.That(answer, Does.Contain("\r\nX-Content-Type-Options: nosniff\r\n").And.Not.Contain("Access-Control"));
    }

    [TestCase("GET / HTTP/1.1")]
    [TestCase("GET /proxy.pac/ HTTP/1.1")]
    [TestCase("GET /proxy.pac2 HTTP/1.1")]
    [TestCase("GET /PROXY.PAC HTTP/1.1")]
    [TestCase("GET /proxy.pac?x=y HTTP/1.1")]
    [TestCase("GET /wpad.dat/ HTTP/1.1")]
    [TestCase("GET /wpad.dat? HTTP/1.1")]
    [TestCase("GET //proxy.pac HTTP/1.1")]
    [TestCase("POST /proxy.pac HTTP/1.1")]
    [TestCase("OPTIONS /proxy.pac HTTP/1.1")]
    public async Task Nothing_else_in_origin_form_is_answered(string line, CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        string answer = await AskAsync(proxy, line + "\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", token);

        Assert.That(answer, Does.StartWith("HTTP/1.1 400 ").And.Contain(HttpReject.ThisIsAProxy));
    }

    [Test]
    public async Task In_absolute_form_it_is_somebody_elses(CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await ProxyUnderTest.StartAsync(worker);
        await using var client = await proxy.ConnectAsync();
        await client.WriteAsync("GET http://a.example/proxy.pac HTTP/1.1\r\nHost: a.example\r\n\r\n"u8.ToArray(), token);
        while (worker.Requests.IsEmpty)
            await Task.Delay(10, token);

        Assert.That(worker.Requests.Single().Host, Is.EqualTo("a.example"));
    }

    [Test]
    public async Task No_credentials_are_asked_for_and_the_connection_goes_on(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync(Array.Empty<EndPoint>(), static options =>
        {
            options.Listeners[0].Auth = ListenerAuth.Required;
            options.Listeners[0].Users["a"] = "b";
            options.Listeners[0].Protocols = ListenerProtocols.Http;
        });
        string answer = await AskAsync(
            proxy,
            "HEAD /proxy.pac HTTP/1.1\r\nHost: localhost:1\r\n\r\n"
                + "GET /proxy.pac HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n",
            token);

        string[] answers = answer.Split("HTTP/1.1 200 OK\r\n");
        Assert.That(answers, Has.Length.EqualTo(3), answer);
        Assert.That(answers[1], Does.Not.Contain("function"));
        Assert.That(answers[2], Does.Contain("return \"PROXY localhost:1\";"), "this one speaks no SOCKS");
    }

    [TestCase("/proxy.pac", "{0}:20002", "{0}:20002")]
    [TestCase("/proxy.pac?session=20001", "{0}:20002", "{0}:20001")]
    [TestCase("/wpad.dat?session=port_20009", "{0}:20002", "{0}:20009")]
    [TestCase("/proxy.pac?session=work", "gate.example:4000", "gate.example:20008")]
    [TestCase("/proxy.pac?session=work", "{0}:20000", "{0}:20008", Description = "a name has one port")]
    public async Task Session_picks_its_port(string path, string host, string expected, CancellationToken token)
    {
        var address = FreePort.OwnAddress();
        await using var proxy = await PortsAsync(address);
        string answer = await AskAsync(proxy, $"GET {path} HTTP/1.1\r\nHost: {Of(host)}\r\nConnection: close\r\n\r\n", token);

        Assert.That(answer, Does.Contain($"return \"PROXY {Of(expected)}; SOCKS5 {Of(expected)}\";"));

        string Of(string text) => text.Replace("{0}", address.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Of the name nothing gets into the file, and what is no name gets no file.</summary>
    [TestCase("")]
    [TestCase("\"+alert(1)+\"")]
    [TestCase("x%22%3Balert(1)//")]
    [TestCase("</script>")]
    [TestCase("a;b")]
    [TestCase("a&session=b")]
    [TestCase("a-b")]
    public async Task Session_that_is_no_name_gets_no_file(string name, CancellationToken token)
    {
        await using var proxy = await PortsAsync(FreePort.OwnAddress());
        string answer = await AskAsync(
            proxy, $"GET /proxy.pac?session={name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", token);

        Assert.That(answer, Does.StartWith("HTTP/1.1 400 ").And.Contain("Content-Type: text/plain").And.Contain("session= takes a name"));
        if (name.Length > 3)
            Assert.That(answer, Does.Not.Contain(name));
    }

    [Test]
    public async Task Session_without_ports_for_it_is_told_what_gives_them(CancellationToken token)
    {
        await using var proxy = await ProxyUnderTest.StartAsync(Array.Empty<FakeTorWorker>());
        string answer = await AskAsync(
            proxy, "GET /proxy.pac?session=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", token);

        Assert.That(answer, Does.StartWith("HTTP/1.1 400 ").And.Contain("a listener with Session = port"));
    }

    [Test]
    public async Task Admin_API_picks_the_port_of_a_session_at_the_listener_that_has_them(CancellationToken token)
    {
        var address = FreePort.OwnAddress();
        await using var admin = await AdminUnderTest.StartAsync(
            Array.Empty<EndPoint>(), options => options.Listeners.Add(Ports(address)));

        Assert.That(
            await admin.Client.GetStringAsync(admin.Base + "/wpad.dat?session=work", token),
            Does.Contain($"\"PROXY {address}:20008; SOCKS5 {address}:20008\""));
        Assert.That(await admin.Client.GetStringAsync(admin.Base + "/wpad.dat", token), Does.Contain($"\"PROXY {admin.Proxy.Address};"));
        using var wrong = await admin.Client.GetAsync(admin.Base + "/proxy.pac?session=%22%3Balert(1)", token);
        Assert.That(wrong.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That(await wrong.Content.ReadAsStringAsync(token), Does.Contain("takes a name").And.Not.Contain("alert"));
    }

    private static Task<ProxyUnderTest> PortsAsync(IPAddress address) => ProxyUnderTest.StartAsync(Array.Empty<EndPoint>(), options =>
    {
        options.Listeners.Clear();
        options.Listeners.Add(Ports(address));
    });

    private static ListenerOptions Ports(IPAddress address) => new()
    {
        Name = "ports",
        Address = new IPEndPoint(address, 20000),
        LastPort = 20009,
        Session = ListenerSession.Port,
    };

    [TestCase("127.0.0.1:0", null)]
    [TestCase("0.0.0.0:0", "localhost")]
    public async Task Admin_API_has_that_of_the_first_listener(string listener, string? host, CancellationToken token)
    {
        await using var admin = await AdminUnderTest.StartAsync(
            Array.Empty<EndPoint>(), options => options.Listeners[0].Address = IPEndPoint.Parse(listener));
        using var request = new HttpRequestMessage(HttpMethod.Get, admin.Base + "/proxy.pac");
        if (host is not null)
            request.Headers.Host = $"{host}:{admin.Server.Address!.Port}";
        using var response = await admin.Client.SendAsync(request, token);

        string proxy = $"{host ?? "127.0.0.1"}:{admin.Proxy.Address.Port}";
        Assert.That(response.Content.Headers.ContentType?.ToString(), Is.EqualTo(ProxyAutoConfig.ContentType));
        Assert.That(await response.Content.ReadAsStringAsync(token), Does.Contain($"return \"PROXY {proxy}; SOCKS5 {proxy}\";"));
    }

    [Test]
    public async Task Without_a_listener_over_TCP_there_is_none(CancellationToken token)
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("tbpac").FullName, "s");
        await using var admin = await AdminUnderTest.StartAsync(
            Array.Empty<EndPoint>(), options => options.Listeners[0].Address = new UnixDomainSocketEndPoint(path));
        using var response = await admin.Client.GetAsync(admin.Base + "/proxy.pac", token);

        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    /// <summary>As a JavaScript engine runs it, with no function of a browser there: none is called.</summary>
    [TestCase("www.example.com", "PROXY 10.0.0.1:1080; SOCKS5 10.0.0.1:1080")]
    [TestCase("abc.onion", "PROXY 10.0.0.1:1080; SOCKS5 10.0.0.1:1080")]
    [TestCase("localhost", "DIRECT")]
    [TestCase("127.0.0.1", "DIRECT")]
    [TestCase("::1", "DIRECT")]
    [TestCase("localhost.example", "PROXY 10.0.0.1:1080; SOCKS5 10.0.0.1:1080")]
    public async Task Script_decides(string host, string expected, CancellationToken token)
    {
        HostEndPoint.TryCreate("10.0.0.1", 1080, out var proxy);
        string script = ProxyAutoConfig.Build(proxy, http: true, socks5: true);
        var result = await ClientProcess.RunAsync(
            "node", ["-e", script + $"\nprocess.stdout.write(FindProxyForURL('http://{host}/', '{host}'));"], token);

        Assert.That(result.Output, Is.EqualTo(expected), result.Error);
    }

    private static async Task<string> AskAsync(ProxyUnderTest proxy, string request, CancellationToken token)
    {
        await using var client = await proxy.ConnectAsync();
        string text = request.Replace("{0}", proxy.Address.ToString(), StringComparison.Ordinal);
        await client.WriteAsync(Encoding.ASCII.GetBytes(text), token);
        return Encoding.ASCII.GetString(await SocksClient.ReadToEndAsync(client, token));
    }
}
