using System.Globalization;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Warm;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;

namespace TorBalancer.Tests.TorControl.Warm;

/// <summary>The loop that launches, at a scripted control port that builds whatever it is asked for.</summary>
[CancelAfter(30_000)]
public sealed class CircuitWarmerTests
{
    private readonly CircuitsOptions _options = new();
    private ManualTimeProvider _clock = null!;
    private FakeControlPort _tor = null!;
    private ControlConnection _control = null!;
    private WarmAccount _account = null!;
    private CircuitWarmer _warmer = null!;
    private CancellationTokenSource _stop = null!;
    private Task _running = Task.CompletedTask;
    private string? _held;
    private string _dormant = "0", _hibernating = "awake", _extended = "250 EXTENDED";
    private int _launched, _nextProbed;

    [SetUp]
    public async Task StartAsync()
    {
        (_held, _dormant, _hibernating, _extended, _launched, _nextProbed) = (null, "0", "awake", "250 EXTENDED", 0, 1);
        _options.Warm = WarmCount.Auto;
        _options.MaxWarm = 16;
        _clock = new ManualTimeProvider();
        _tor = new FakeControlPort { Script = Answer };
        _stop = new CancellationTokenSource();
        var logger = new Logger<CircuitWarmer>(new ListLogger());
        _control = await ControlConnection.ConnectAsync(
            _tor.EndPoint, new ControlCredentials(null, null), ControlConnectionOptions.Default, logger, TimeProvider.System,
            CancellationToken.None);
        _warmer = new CircuitWarmer("w", _options, _account = new WarmAccount(_clock), () => _held, _clock, logger);
    }

    [TearDown]
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _control.DisposeAsync();
        await _tor.DisposeAsync();
        _stop.Dispose();
    }

    [Test]
    public async Task Quiet_day_launches_none_and_demand_launches_what_it_needs(CancellationToken token)
    {
        _warmer.Load([], []);
        Run();
        await DaysAsync(1, token);
        Assert.That(_launched, Is.Zero);

        await NeedAsync(5, from: 100, token);
        await UntilAsync(() => _warmer.Facts is { Building: 0, Clean: > 0 } now && now.Clean >= now.Target, token);
        var facts = _warmer.Facts;
        Assert.That(facts.Clean, Is.EqualTo(facts.Target).And.InRange(1, 5));
        Assert.That(facts.Launched, Is.EqualTo(facts.Clean));

        // Whatever tor closes of them while nobody needs any is not built again.
        await DaysAsync(1, token);
        for (int id = 1; id <= facts.Launched; id++)
            _warmer.Observe(Parse(string.Create(CultureInfo.InvariantCulture, $"CIRC {id} CLOSED PURPOSE=GENERAL REASON=FINISHED")));
        await DaysAsync(1, token);
        Assert.That(_launched, Is.EqualTo(facts.Launched));
        Assert.That(_warmer.Facts, Has.Property("Clean").Zero.And.Property("Unused").EqualTo(facts.Launched));
    }

    [TestCase("the uplink is away", "0", "awake")]
    [TestCase(null, "1", "awake")]
    [TestCase(null, "0", "soft")]
    [TestCase(null, "0", "hard")]
    public async Task Nothing_is_launched_while_something_holds_and_it_goes_on_when_that_is_over(
        string? held, string dormant, string hibernating, CancellationToken token)
    {
        (_held, _dormant, _hibernating) = (held, dormant, hibernating);
        _warmer.Load([], []);
        Run();
        await NeedAsync(3, from: 100, token);
        await UntilAsync(() => _warmer.Facts.Held is not null, token);
        Assert.That(_launched, Is.Zero);

        (_held, _dormant, _hibernating) = (null, "0", "awake");
        for (int second = 0; second < 40 && _launched == 0; second++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            await NeedAsync(1, from: 200 + second, token);
            await Task.Delay(10, token);
        }

        Assert.That(_launched, Is.Positive);
    }

    [Test]
    public async Task Circuits_that_fail_end_it_for_a_while(CancellationToken token)
    {
        _options.Warm = new WarmCount(4);
        _extended = "551 Couldn't start circuit";
        Run();
        for (int second = 0; second < 10; second++)
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Delay(10, token);
        }

        Assert.That(_launched, Is.EqualTo(3), "then it pauses");
        Assert.That(_warmer.Facts.Held, Is.EqualTo("circuits fail"));
    }

    [Test]
    public async Task Fixed_number_is_kept_whatever_the_demand(CancellationToken token)
    {
        _options.Warm = new WarmCount(3);
        _warmer.Load([$"900 BUILT {Path("g,m,e")} PURPOSE=GENERAL"], []);
        Run();
        await UntilAsync(() => _warmer.Facts is { Clean: 3, Building: 0 }, token);
        Assert.That(_launched, Is.EqualTo(2), "one was there");
        _warmer.Observe(Parse(Sent("1", "900", "a.test:80")[1]));
        await UntilAsync(() => _warmer.Facts is { Clean: 3, Building: 0 }, token);
        Assert.That(_launched, Is.EqualTo(3));
    }

    [Test]
    public async Task Successor_of_a_session_is_built_before_it_is_needed_and_kept_no_longer(CancellationToken token)
    {
        _warmer.Load([], []);
        Run();
        var kept = _warmer.ExpectSuccessor(TimeSpan.FromSeconds(40));
        await UntilAsync(() => _warmer.Facts is { Clean: 1, Target: 1 }, token);
        kept!.Dispose();
        Assert.That(_warmer.Facts.Target, Is.Zero);
        _warmer.ExpectSuccessor(TimeSpan.FromSeconds(40));
        Assert.That(_warmer.Facts.Target, Is.EqualTo(1));
        _clock.Advance(TimeSpan.FromSeconds(41));
        Assert.That(_warmer.Facts.Target, Is.Zero, "nobody came");
        Assert.That(_launched, Is.EqualTo(1));
    }

    [Test]
    public async Task Probes_are_no_demand_and_use_nothing_up_for_a_quarter_of_an_hour(CancellationToken token)
    {
        _warmer.Load([], []);
        Run();
        for (int i = 0; i < 20; i++)
            await ProbeAsync($"tor{i}", token);
        Assert.That(_launched, Is.Zero, "nobody needs any");
        Assert.That(_warmer.Facts.Demand, Is.Zero);

        await NeedAsync(5, from: 100, token);
        await UntilAsync(() => _warmer.Facts is { Building: 0, Clean: > 0 } now && now.Clean >= now.Target, token);
        int clean = _warmer.Facts.Clean, launched = _launched;
        for (int minute = 0; minute < 14; minute++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            await ProbeAsync(null, token);
            await UntilAsync(() => _warmer.Facts.Clean == clean, token);
        }

        Assert.That(_launched - launched, Is.EqualTo(14), "one for each probe, as tor would have built");
        Assert.That(_warmer.Facts.Used, Is.EqualTo(14));
        _clock.Advance(TimeSpan.FromMinutes(2));
        for (int i = 0; i < clean; i++)
            await ProbeAsync(null, token);
        Assert.That((_launched - launched, _warmer.Facts.Clean), Is.EqualTo((14, 0)));
    }

    [Test]
    public async Task Missed_turn_is_demand_and_claims_are_one_less_until_tor_tells(CancellationToken token)
    {
        Assert.That(_warmer.Clean, Is.Null, "nothing is known yet");
        _warmer.Load([], []);
        Assert.That(_warmer.Clean, Is.Zero);
        Run();
        _warmer.Missed();
        await UntilAsync(() => _warmer.Clean == 1, token);
        Assert.That(_warmer.Facts.Demand, Is.Zero, "another worker's circuit was taken");
        _warmer.Claim();
        Assert.That(_warmer.Clean, Is.Zero);
        _warmer.Claim();
        Assert.That(_warmer.Clean, Is.Zero);
        _warmer.Disconnect();
        Assert.That(_warmer.Clean, Is.Null);
    }

    [Test]
    public async Task Successor_at_the_same_worker_goes_on_with_its_totals_and_its_budget(CancellationToken token)
    {
        _options.Warm = new WarmCount(16);
        _options.MaxWarm = 16;
        _warmer.Load([], []);
        Run();
        await UntilAsync(() => _warmer.Facts is { Clean: 16, Launched: 16 }, token);
        await _stop.CancelAsync();
        await _running;
        _warmer.Disconnect();
        var next = new CircuitWarmer("w", _options, _account, static () => null, _clock, new Logger<CircuitWarmer>(new ListLogger()));
        Assert.That(next.Facts, Has.Property("Launched").EqualTo(16).And.Property("Unused").EqualTo(16).And.Property("Clean").Zero);
        for (int i = 0; i < LaunchBudget.Burst - 16; i++)
            Assert.That(_account.Budget.TryTake(), Is.True);
        Assert.That(_account.Budget.TryTake(), Is.False);
    }

    private void Run() => _running = _warmer.RunAsync(_control, _stop.Token);

    /// <summary>So many new identities, each on a circuit that tor built itself.</summary>
    private async Task NeedAsync(int count, int from, CancellationToken token)
    {
        for (int i = from; i < from + count; i++)
        {
            string id = i.ToString(CultureInfo.InvariantCulture);
            _warmer.Observe(Parse(Built(id, "g,m,e")));
            _warmer.Observe(Parse(Sent("s" + id, id, "a.test:80")[1]));
            _clock.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Delay(1, token);
        }
    }

    /// <summary>A probe takes a circuit that tor builds for it, or the oldest of ours.</summary>
    private async Task ProbeAsync(string? own, CancellationToken token)
    {
        string id = own ?? (_nextProbed++).ToString(CultureInfo.InvariantCulture);
        if (own is not null)
            _warmer.Observe(Parse(Built(id, "g,m,e")));
        _warmer.Observe(Parse(Sent("p" + id, id, "canary.test:443", ProbeToken.Create())[1]));
        await Task.Delay(5, token);
    }

    private async Task DaysAsync(int days, CancellationToken token)
    {
        for (int minute = 0; minute < days * 24 * 60; minute += 10)
        {
            _clock.Advance(TimeSpan.FromMinutes(10));
            await Task.Delay(1, token);
        }
    }

    private string? Answer(string command)
    {
        if (command.StartsWith("GETINFO dormant", StringComparison.Ordinal))
            return $"250-dormant={_dormant}\r\n250-accounting/hibernating={_hibernating}\r\n250 OK\r\n";
        if (!command.StartsWith("EXTENDCIRCUIT 0", StringComparison.Ordinal))
            return FakeControlPort.DefaultScript(command);
        int id = Interlocked.Increment(ref _launched);
        if (!_extended.StartsWith("250", StringComparison.Ordinal))
            return _extended + "\r\n";
        string name = id.ToString(CultureInfo.InvariantCulture);
        _warmer.Observe(Parse($"CIRC {name} LAUNCHED PURPOSE=GENERAL"));
        _warmer.Observe(Parse(Built(name, "g,m,e")));
        return $"250 EXTENDED {name}\r\n";
    }

    private async Task UntilAsync(Func<bool> condition, CancellationToken token)
    {
        while (!condition())
        {
            Assert.That(token.IsCancellationRequested, Is.False, $"it never came to that: {_warmer.Facts}; {_launched} asked for");
            await Task.Delay(2, CancellationToken.None);
        }
    }
}
