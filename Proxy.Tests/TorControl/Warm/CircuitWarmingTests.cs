using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Balancing;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Warm;
using TorBalancer.Workers;

namespace TorBalancer.Tests.TorControl.Warm;

/// <summary>What the rest of the daemon knows that keeps circuits from being launched.</summary>
public sealed class CircuitWarmingTests
{
    [TestCase(true, false, null, "the worker carries nothing now")]
    [TestCase(false, true, null, "the uplink is away")]
    [TestCase(false, false, "tor finds no paths", "tor finds no paths")]
    [CancelAfter(20_000)]
    public async Task Nothing_is_launched_for_a_worker_or_an_uplink_that_carries_nothing(
        bool isDrained, bool isFrozen, string? tor, string held, CancellationToken token)
    {
        var pool = PoolOf.Equal(1);
        var worker = pool.Find("w1")!;
        if (isDrained)
            pool.SetAdministrative(worker, WorkerAdministrativeState.Draining);
        await using var fake = new FakeControlPort { Script = Answer };
        var logger = new Logger<CircuitWarming>(new ListLogger());
        await using var control = await ControlConnection.ConnectAsync(
            fake.EndPoint, ControlCredentials.None, ControlConnectionOptions.Default, logger, TimeProvider.System, token);
        var warmer = new CircuitWarming(
            new CircuitsOptions { Warm = new WarmCount(1) }, () => isFrozen, TimeProvider.System, logger).Create(worker, () => tor);
        warmer.Load([], []);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var running = warmer.RunAsync(control, stop.Token);

        await UntilAsync(() => warmer.Facts.Held is not null);
        Assert.That((warmer.Facts.Held, warmer.Facts.Launched), Is.EqualTo((held, 0L)));

        if (isDrained)
            pool.SetAdministrative(worker, WorkerAdministrativeState.Enabled);
        (isFrozen, tor) = (false, null);
        warmer.Wake();
        await UntilAsync(() => warmer.Facts.Launched == 1);
        Assert.That(warmer.Facts.Held, Is.Null);
        await stop.CancelAsync();
        await running;

        async Task UntilAsync(Func<bool> condition)
        {
            while (!condition())
                await Task.Delay(2, token);
        }

        string? Answer(string command)
        {
            if (command.StartsWith("GETINFO dormant", StringComparison.Ordinal))
                return "250-dormant=0\r\n250-accounting/hibernating=awake\r\n250 OK\r\n";
            if (!command.StartsWith("EXTENDCIRCUIT 0", StringComparison.Ordinal))
                return FakeControlPort.DefaultScript(command);
            return "250 EXTENDED 1\r\n";
        }
    }
}
