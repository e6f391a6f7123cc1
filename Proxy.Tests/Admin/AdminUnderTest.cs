using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using TorBalancer.Admin;
using TorBalancer.Admin.Events;
using TorBalancer.Admin.Explain;
using TorBalancer.Admin.Fetch;
using TorBalancer.Balancing;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Daemon.Admin;
using TorBalancer.Routing;
using TorBalancer.Server;
using TorBalancer.Tests.Configuration;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using TorBalancer.Transport.Sockets;
using TorBalancer.Workers;

namespace TorBalancer.Tests.Admin;

/// <summary>The admin API over real HTTP on a port of its own, in front of a proxy's workers.</summary>
internal sealed class AdminUnderTest : IAsyncDisposable
{
    private readonly AdminServer _server;

    private AdminUnderTest(ProxyUnderTest proxy, AdminServer server, EventHub events)
    {
        Proxy = proxy;
        _server = server;
        Events = events;
    }

    public EventHub Events { get; }

    public ProxyUnderTest Proxy { get; }

    public AdminServer Server => _server;

    public HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false });

    public string Base => $"http://{_server.Address}";

    public static async Task<AdminUnderTest> StartAsync(
        IEnumerable<EndPoint> workers, Action<TorBalancerOptions>? configure = null, X509Certificate2Collection? trusted = null,
        string? socket = null, EndPoint? control = null, AdminEventTiming? timing = null,
        Func<AdminEndPoints, AdminEndPoints>? endPoints = null)
    {
        TorBalancerOptions options = null!;
        var proxy = await ProxyUnderTest.StartAsync(workers, given =>
        {
            options = given;
            given.Health.Enabled = true;
            configure?.Invoke(given);
        }, control: control);
        var time = TimeProvider.System;
        var planner = new ConnectPlanner(options.Balancing, new IsolationTokenFactory(), proxy.Get<SessionTable>(), options.Route);
        var opener = new StreamOpener(
            new RouteTable(options.Route), planner, ConnectorOf.Selector(SelectorOf.Pool(proxy.Pool), options.Connect));
        var services = new FetchServices(new FetchConnector(opener, options.Balancing), options.Log, time)
        {
            TrustedRoots = trusted,
            Memory = new MemoryBudget(options.Admin.FetchMemory),
        };
        var events = new EventHub(time);
        proxy.Log.AddProvider(new EventLoggerProvider(events, EventKinds.Of));
        var configuration = Loading.Text("[Admin]\nToken = of-the-file-0123456789\n");
        var places = new AdminEndPoints(new IPEndPoint(IPAddress.Loopback, 0), socket);
        var server = new AdminServer(
            new AdminServices
            {
                Views = proxy.Get<AdminViews>(),
                Blacklist = proxy.Get<BlacklistViews>(),
                Explainer = proxy.Get<Explainer>(),
                Events = events,
                Commands = proxy.Get<AdminCommands>(),
                Fetch = new FetchEngine(services, new Logger<FetchEngine>(proxy.Log)),
                Configuration = () => ConfigView.From(configuration),
            },
            endPoints?.Invoke(places) ?? places, proxy.Log, timing: timing);
        await server.StartAsync(CancellationToken.None);
        return new AdminUnderTest(proxy, server, events);
    }

    public static Task<AdminUnderTest> StartAsync(params FakeTorWorker[] workers) =>
        StartAsync(workers.Select(static worker => worker.EndPoint));

    /// <summary>A GET whose answer is JSON with status 200.</summary>
    public async Task<JsonElement> GetAsync(string path, CancellationToken token) =>
        await ReadAsync(await Client.GetAsync(Base + path, token), HttpStatusCode.OK, token);

    public async Task<JsonElement> PostAsync(string path, CancellationToken token) =>
        await ReadAsync(await Client.PostAsync(Base + path, null, token), HttpStatusCode.OK, token);

    /// <summary>A fetch that the API understands.</summary>
    public async Task<JsonElement> FetchAsync(string body, CancellationToken token) =>
        await ReadAsync(await PostRawAsync("/api/v1/fetch", body, token), HttpStatusCode.OK, token);

    public async Task<HttpResponseMessage> PostRawAsync(string path, string body, CancellationToken token, string type = "application/json")
    {
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        return await Client.PostAsync(Base + path, content, token);
    }

    public static async Task<JsonElement> ReadAsync(HttpResponseMessage response, HttpStatusCode status, CancellationToken token)
    {
        string text = await response.Content.ReadAsStringAsync(token);
        Assert.That(response.StatusCode, Is.EqualTo(status), text);
        string type = (int)status >= 400 ? "application/problem+json" : "application/json";
        Assert.That(response.Content.Headers.ContentType?.MediaType, Is.EqualTo(type));
        return JsonDocument.Parse(text).RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _server.StopAsync(CancellationToken.None);
        await _server.DisposeAsync();
        await Proxy.DisposeAsync();
    }
}
