using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;
using TorBalancer.Tests.Support;
using TorBalancer.TorControl.Relays;
using TorBalancer.Workers;
using static TorBalancer.Tests.TorControl.Relays.RelayEvents;

namespace TorBalancer.Tests.TorControl.Relays;

/// <summary>A scripted tor with 100 exits (fingerprints 0 to 99), and the service that watches it.</summary>
internal sealed class WatchedTor : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _seen = new();
    private readonly SemaphoreSlim _command = new(0);
    private readonly string? _remembered;

    public WatchedTor(BlacklistOptions? options = null, string? remembered = null)
    {
        _remembered = remembered;
        Options = options ?? new BlacklistOptions();
        Fake.Script = Answer;
        Pool.Apply(
            [
                new WorkerModel("w", new IPEndPoint(IPAddress.Loopback, 1), ControlEndPoint: Fake.EndPoint),
                new WorkerModel("bare", new IPEndPoint(IPAddress.Loopback, 2)),
            ]);
        Service = StartService();
    }

    public BlacklistOptions Options { get; }

    public FakeControlPort Fake { get; } = new();

    public ManualTimeProvider Time { get; } = new();

    public WorkerPool Pool { get; } = new();

    public ListLogger Log { get; } = new();

    public RelayWatchService Service { get; private set; }

    /// <summary>ExcludeExitNodes as this tor has it.</summary>
    public string Excluded { get; set; } = "";

    public string CircuitStatus { get; set; } = "";

    /// <summary>The answer to EXTENDCIRCUIT.</summary>
    public string NewCircuit { get; set; } = "551 Couldn't start circuit\r\n";

    public string Liveness { get; set; } = "up";

    public Task EventsAsync(params IEnumerable<string> lines) =>
        Fake.PushAsync(string.Concat(lines.Select(static line => $"650 {line}\r\n")));

    /// <summary>Waits for a command that begins so, counting from the last that was waited for.</summary>
    public async Task<string> CommandAsync(string beginning, CancellationToken token)
    {
        while (true)
        {
            await _command.WaitAsync(token);
            if (_seen.TryDequeue(out string? command) && command.StartsWith(beginning, StringComparison.Ordinal))
                return command;
        }
    }

    /// <summary>Connected, with events flowing.</summary>
    public async Task<WatchedTor> ReadyAsync(CancellationToken token)
    {
        await CommandAsync("GETCONF ExcludeExitNodes", token);
        await UntilAsync(() => Service.FactsOf("w") is { IsConnected: true }, token);
        return this;
    }

    /// <summary>Three streams on three circuits of that exit to three hosts die with their circuits.</summary>
    public Task KillAsync(int exit, int from)
    {
        var relay = RelayBlacklistTests.Exit(exit);
        string[] ids = [.. Enumerable.Range(from, 3).Select(static id => id.ToString(System.Globalization.CultureInfo.InvariantCulture))];
        string PathTo(string id) => $"{Path($"g{id},m{id}")},${relay.Fingerprint}~{relay.Nickname}";
        return EventsAsync([
            .. ids.Select(id => $"CIRC {id} BUILT {PathTo(id)} PURPOSE=GENERAL"),
            .. ids.SelectMany(id => Opened(id, id, $"host{id}.test:80", $"token{id}")),
            .. ids.Select(id => $"CIRC {id} CLOSED {PathTo(id)} PURPOSE=GENERAL REASON=DESTROYED REMOTE_REASON=DESTROYED")]);
    }

    /// <summary>The same, and it is on the list. The clock stands still meanwhile: no command may seem to take too long.</summary>
    public async Task ListAsync(int exit, int from, CancellationToken token)
    {
        await KillAsync(exit, from);
        string fingerprint = RelayBlacklistTests.Exit(exit).Fingerprint;
        await UntilAsync(() => Service.Blacklist.Any(entry => entry.Fingerprint == fingerprint), token);
    }

    public static async Task UntilAsync(Func<bool> condition, CancellationToken token)
    {
        while (!condition())
        {
            token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>Moves the clock from timer to timer until the condition holds.</summary>
    public async Task AdvanceUntilAsync(Func<bool> condition, CancellationToken token)
    {
        while (!condition())
        {
            token.ThrowIfCancellationRequested();
            Time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Delay(1, token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        await Fake.DisposeAsync();
        _command.Dispose();
    }

    /// <summary>Another process of ours at the same tor, after the one before has ended.</summary>
    public async Task RestartAsync()
    {
        await Service.DisposeAsync();
        Service = StartService();
    }

    private RelayWatchService StartService()
    {
        var service = new RelayWatchService(
            Pool, Options, static () => 0.5, Time, new Logger<RelayWatchService>(Log), directory: new ExclusionDirectory(_remembered));
        service.Start();
        return service;
    }

    private string? Answer(string command)
    {
        _seen.Enqueue(command);
        string? reply = Reply(command);
        _command.Release();
        return reply;
    }

    private string? Reply(string command)
    {
        if (command.StartsWith("GETINFO circuit-status ", StringComparison.Ordinal))
        {
            return $"250+circuit-status=\r\n{CircuitStatus}.\r\n250-stream-status=\r\n250-network-liveness={Liveness}\r\n"
                + "250-status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY=\"Done\"\r\n250 OK\r\n";
        }

        if (command == "GETINFO ns/all")
            return $"250+ns/all=\r\n{RelayBlacklistTests.ConsensusText(100).Replace("\n", "\r\n", StringComparison.Ordinal)}.\r\n250 "
                + $"OK\r\n";
        if (command.StartsWith("EXTENDCIRCUIT", StringComparison.Ordinal))
            return NewCircuit;
        if (command == "GETCONF ExcludeExitNodes")
            return Excluded.Length == 0 ? "250 ExcludeExitNodes\r\n" : $"250 ExcludeExitNodes={Excluded}\r\n";
        if (command.StartsWith("SETCONF ExcludeExitNodes=", StringComparison.Ordinal))
            return Changed(command.Split('=', 2)[1].Trim('"'));
        return command == "RESETCONF ExcludeExitNodes" ? Changed("") : FakeControlPort.DefaultScript(command);
    }

    private string Changed(string value)
    {
        Excluded = value;
        return $"650-CONF_CHANGED\r\n650-ExcludeExitNodes{(value.Length == 0 ? "" : "=" + value)}\r\n650 OK\r\n250 OK\r\n";
    }
}
