using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Scenarios;

/// <summary><c>torbalancer run --takeover</c> with a name server, on real processes: no question stays unanswered.</summary>
[SupportedOSPlatform("linux")]
[Category(ProgramRun.Native)]
public sealed partial class TakeoverDnsTests
{
    private const string Onion = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20), AskAgain = TimeSpan.FromSeconds(1);

    private static readonly IPAddress Answer = IPAddress.Parse("198.51.100.7");

    [Test, CancelAfter(60_000)]
    public async Task Questions_are_answered_through_takeovers_and_virtual_addresses_stay(CancellationToken token)
    {
        await using var worker = new FakeTorWorker { ReplyAddress = static _ => Answer };
        string directory = DaemonUnderTest.MakeDirectory();
        int port = FreePort.Find();
        await using var first = await DaemonUnderTest.StartAsync(
            $"{LameDuckTests.Workers(worker)}[Dns]\nAddress = 127.0.0.1:{port}\nQueryRatePerClient = 1000/s\n"
                + "[Tunnel]\nDrainTimeout = 30s\n",
            token, directory, socket: $"unix:{directory}/admin.sock");
        var server = await AddressAsync(first, token);
        var virtualAddress = (await AskAsync(server, Onion, DnsProbe.A, token)).Address!;
        string reverse = string.Join('.', virtualAddress.GetAddressBytes().Reverse()) + ".in-addr.arpa";
        using var stopLoad = CancellationTokenSource.CreateLinkedTokenSource(token);
        var load = LoadAsync(server, stopLoad.Token);

        // Nothing comes of this one: it goes on, over UDP and TCP.
        await TakeoverClient.GoAsync(Path.Combine(directory, "admin.sock"), TakeoverStep.HasChanges, token);
        await first.WaitForLineAsync(static line => line.Contains("did not take over", StringComparison.Ordinal), token);
        Assert.That((await AskAsync(server, "resumed.test", DnsProbe.A, token)).Address, Is.EqualTo(Answer));
        await AskOverTcpAsync(server, token);

        // Its answer comes when another process has the port, and an idle connection ends then.
        var gate = new TaskCompletionSource();
        worker.ReplyGate = gate.Task;
        var slow = AskAsync(server, "slow.test", DnsProbe.A, token);
        while (!worker.Requests.Any(static one => one.Host == "slow.test"))
            await Task.Delay(1, token);
        worker.ReplyGate = Task.CompletedTask;
        using var idle = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await idle.ConnectAsync(server, token);

        await using var second = await SucceedAsync(first, token);
        Assert.That(await AddressAsync(second, token), Is.EqualTo(server));
        Assert.That(await idle.ReceiveAsync(new byte[1], token), Is.Zero);
        Assert.That((slow.IsCompleted, first.Exited.IsCompleted), Is.EqualTo((false, false)));
        gate.SetResult();
        Assert.That((await slow).Address, Is.EqualTo(Answer));
        Assert.That(await first.Exited.WaitAsync(token), Is.Zero, string.Join('\n', first.Lines));
        await AskOverTcpAsync(server, token);

        await using var third = await SucceedAsync(second, token);
        Assert.That(await second.Exited.WaitAsync(token), Is.Zero, string.Join('\n', second.Lines));
        await AskOverTcpAsync(server, token);
        Assert.That((await AskAsync(server, Onion, DnsProbe.A, token)).Address, Is.EqualTo(virtualAddress));
        Assert.That((await AskAsync(server, reverse, DnsProbe.Ptr, token)).Data, Has.Length.EqualTo(Onion.Length + 2));

        // All of this is over within a few questions where the released file does it.
        await Task.Delay(TimeSpan.FromMilliseconds(500), token);
        await stopLoad.CancelAsync();
        var answered = await load;
        TestContext.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{answered.Count} questions answered, {answered.Count(static one => one)} asked twice"));
        Assert.That(answered, Has.Count.GreaterThan(10));

        // Another address: it is bound anew, and the old one ends with who had it.
        string file = Path.Combine(directory, "torbalancer.conf"), configuration = await File.ReadAllTextAsync(file, token);
        await File.WriteAllTextAsync(
            file, configuration.Replace($"127.0.0.1:{port}", $"127.0.0.2:{port}", StringComparison.Ordinal), token);
        await using var fourth = await SucceedAsync(third, token);
        Assert.That(await third.Exited.WaitAsync(token), Is.Zero, string.Join('\n', third.Lines));
        var moved = await AddressAsync(fourth, token);
        Assert.That(moved.Address, Is.EqualTo(IPAddress.Parse("127.0.0.2")));
        Assert.That((await AskAsync(moved, Onion, DnsProbe.A, token)).Address, Is.EqualTo(virtualAddress));
        await AskOverTcpAsync(moved, token);
        Assert.That(async () => await AskOverTcpAsync(server, token), Throws.InstanceOf<SocketException>());
        Assert.That(await fourth.StopAsync(token), Is.Zero);
    }

    private static async Task<DaemonUnderTest> SucceedAsync(DaemonUnderTest old, CancellationToken token)
    {
        var next = await old.SucceedAsync(token);
        await next.WaitForLineAsync(static line => line.Contains("Took over from process ", StringComparison.Ordinal), token);
        return next;
    }

    private static async Task<IPEndPoint> AddressAsync(DaemonUnderTest daemon, CancellationToken token) => IPEndPoint.Parse(
        Answers().Match(await daemon.WaitForLineAsync(static line => Answers().IsMatch(line), token)).Groups[1].Value);

    private static Task<DnsProbeAnswer> AskAsync(IPEndPoint server, string name, ushort type, CancellationToken token) =>
        DnsProbe.AskAsync(server, DnsProbe.Query(name, type, edns: 1232), token);

    private static async Task AskOverTcpAsync(IPEndPoint server, CancellationToken token) => Assert.That(
        (await DnsProbe.AskOverTcpAsync(
            server, token, DnsProbe.Query("a.test", DnsProbe.A), DnsProbe.Query("b.test", DnsProbe.A))).Select(static one => one.Address),
        Is.EqualTo(new[] { Answer, Answer }));

    /// <summary>Each of another name; whether each was asked twice. Throws for one that stays without its answer.</summary>
    private static async Task<List<bool>> LoadAsync(IPEndPoint server, CancellationToken stop)
    {
        var running = new List<Task<bool>>();
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                running.Add(QuestionAsync(server, running.Count));
        }
        catch (OperationCanceledException)
        {
            // Enough.
        }

        return [.. await Task.WhenAll(running)];
    }

    private static async Task<bool> QuestionAsync(IPEndPoint server, int number)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        byte[] query = DnsProbe.Query(string.Create(CultureInfo.InvariantCulture, $"q{number}.test"), DnsProbe.A), answer = new byte[1500];
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, patience.Token);
        await socket.SendAsync(query, patience.Token);
        var receiving = socket.ReceiveAsync(answer, patience.Token).AsTask();
        bool isLate = await Task.WhenAny(receiving, Task.Delay(AskAgain, patience.Token)) != receiving;
        if (isLate)
            await socket.SendAsync(query, patience.Token);
        Assert.That(DnsProbe.Parse(answer.AsSpan(0, await receiving), query).Address, Is.EqualTo(Answer));
        return isLate;
    }

    [GeneratedRegex(@"Names are answered on ([0-9.:]+), UDP and TCP")]
    private static partial Regex Answers();
}
