using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.Transport;

namespace TorBalancer.Tests.Server;

/// <summary>Who has the last places, and who gives one up.</summary>
[CancelAfter(10_000)]
public class ListenerPlacesTests
{
    /// <summary>Nothing tells a client that has closed its socket from one that still listens: the kernel answers for both.</summary>
    [Test]
    public async Task A_client_that_has_sent_FIN_and_waits_gives_its_place_to_another(
        [Values] EngineKind engine,
        [
            Values(
                "SOCKS5", "CONNECT a.example:80 HTTP/1.1\r\n\r\n",
                "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")] string request,
        CancellationToken token)
    {
        var never = new TaskCompletionSource();
        await using var worker = new FakeTorWorker { ReplyGate = never.Task };
        await using var proxy = await StartAsync(worker, engine, clients: 1, listeners: 1);
        using var first = await OpenAsync(proxy.Address, token);
        byte[] bytes = request == "SOCKS5"
            ? [5, 1, 0, .. SocksClient.Request("a.example", 80)]
            : System.Text.Encoding.Latin1.GetBytes(request);
        var waiting = first.GetStream();
        await waiting.WriteAsync(bytes, token);
        while (worker.Requests.IsEmpty && worker.Accepted == 0)
            await Task.Delay(10, token);
        first.Client.Shutdown(SocketShutdown.Send);

        using var second = await OpenAsync(proxy.Address, token);
        await SocksClient.GreetAsync(second.GetStream(), null, null, token);
        await SocksClient.ReadToEndAsync(waiting, token);
        never.SetResult();
    }

    [Test]
    public async Task Listeners_that_have_nobody_hold_no_place_that_another_needs([Values] EngineKind engine, CancellationToken token)
    {
        await using var worker = new FakeTorWorker();
        await using var proxy = await StartAsync(worker, engine, clients: 3, listeners: 6);
        var addresses = proxy.Server.Addresses.Select(static one => (IPEndPoint)one.Address).ToArray();
        foreach (var address in (IPEndPoint[])[addresses[5], addresses[0]])
        {
            var clients = new List<TcpClient>();
            for (int i = 0; i < 3; i++)
            {
                clients.Add(await OpenAsync(address, token));
                Assert.That((await SocksClient.RequestAsync(clients[^1].GetStream(), "a.example", 80, token))[1], Is.Zero);
            }

            clients.ForEach(static one => one.Dispose());
        }
    }

    private static async Task<TcpClient> OpenAsync(IPEndPoint address, CancellationToken token)
    {
        var client = new TcpClient();
        await client.ConnectAsync(address, token);
        return client;
    }

    /// <param name="clients">Places.</param>
    private static Task<ProxyUnderTest> StartAsync(FakeTorWorker worker, EngineKind engine, int clients, int listeners)
    {
        var process = new Process(clients);
        var budget = new DescriptorBudget(process);
        process.Budget = budget;
        budget.Measure();
        Assert.That(budget.MostClients, Is.EqualTo(clients));
        return ProxyUnderTest.StartAsync([new TorBalancer.Workers.WorkerModel("worker-01", worker.EndPoint)], options =>
        {
            options.Engine.Transport = engine;
            for (int i = 1; i < listeners; i++)
                options.Listeners.Add(new ListenerOptions { Name = $"more-{i}", Address = new IPEndPoint(IPAddress.Loopback, 0) });
        }, replace: services => services.AddSingleton(budget));
    }

    /// <summary>Numbers are far from its limit, so that only what is promised counts.</summary>
    private sealed class Process(int clients) : IOpenDescriptors
    {
        public DescriptorBudget? Budget { get; set; }

        public int Limit => 100_000;

        // The reserve is 5,000. Few are open at first, so that nothing more is expected to be loaded later.
        public int Count() => Budget is null ? 100 : 95_000 - (clients * DescriptorBudget.OfAClient) + Budget.Promised;
    }
}
