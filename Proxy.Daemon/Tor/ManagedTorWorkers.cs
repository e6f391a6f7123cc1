using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using TorBalancer.Configuration.Options;
using TorBalancer.Interop;
using TorBalancer.Processes;

namespace TorBalancer.Daemon.Tor;

/// <summary>The managed workers cannot be started; the message says what to do about it.</summary>
internal sealed class ManagedWorkersException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Tor processes of our own: started, owned (they end with us, also when we are killed), followed through their bootstrap,
/// started again when they end, stopped with us. The world hears of them through <see cref="IManagedWorkerSink"/>.
/// </summary>
internal sealed partial class ManagedTorWorkers : IAsyncDisposable
{
    private readonly ManagedWorkersOptions _options;
    private readonly ManagedWorkerPaths _paths;
    private readonly string _executable;
    private readonly IManagedWorkerSink _sink;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private FileStream? _lock;
    private RunningWorker[] _running = [];
    private int _stopped;

    /// <param name="executable">Path of tor; see <see cref="Executables.FindTor"/>.</param>
    /// <param name="paths">Where things are kept; see <see cref="ManagedWorkerPaths.Resolve"/>.</param>
    public ManagedTorWorkers(
        ManagedWorkersOptions options, string executable, ManagedWorkerPaths paths, IManagedWorkerSink sink, ILogger logger,
        TimeProvider time)
    {
        _options = options;
        _executable = executable;
        _paths = paths;
        _sink = sink;
        _logger = logger;
        _time = time;
        Ids = [.. Enumerable.Range(1, Math.Max(0, options.Count)).Select(IdOf)];
        Countries = [.. options.Countries.SelectMany(static share => Enumerable.Repeat(share.Country, share.Count)).Take(options.Count)];
        if (Countries.Count < Ids.Count)
            Countries = [.. Countries, .. Enumerable.Repeat("", Ids.Count - Countries.Count)];
    }

    /// <summary>What the worker with that number is called, from 1 on.</summary>
    public static string IdOf(int number) => string.Create(CultureInfo.InvariantCulture, $"tor-{number}");

    /// <summary>tor-1, tor-2, …</summary>
    public IReadOnlyList<string> Ids { get; }

    /// <summary>Of each of them, in the same order: the country that its exits are in, in lower case; empty: any.</summary>
    public IReadOnlyList<string> Countries { get; }

    /// <summary>Where they keep things.</summary>
    public ManagedWorkerPaths Paths => _paths;

    /// <summary>What another process of ours hands over; null: nothing.</summary>
    public ManagedTorHandOver? Predecessor { get; init; }

    /// <summary>Those whose process runs now.</summary>
    public IReadOnlyList<(string Id, RunningNow Now)> Running =>
    [
        .. _running.Select(static one => (one.Worker.Id, one.Worker.Now)).Where(static one => one.Now is not null)
            .Select(static one => (one.Id, one.Now!)),
    ];

    /// <summary>The lock on the directory; null: it is not held.</summary>
    public int? LockDescriptor => _lock is null ? null : (int)_lock.SafeFileHandle.DangerousGetHandle();

    /// <summary>
    /// Starts them and returns: the sink hears of the rest. Throws <see cref="ManagedWorkersException"/> when the directory
    /// is another daemon's or cannot be used, or what the options name (files, programs) is wrong or missing. Called once.
    /// </summary>
    public void Start()
    {
        var extras = new ManagedTorrcExtras(_options, TorProgram.VersionOf(_executable));
        try
        {
            extras.Load();
            ManagedWorkerFiles.MakePrivate(_paths.Root);
            _lock = Predecessor is { } predecessor
                ? new FileStream(new SafeFileHandle(predecessor.Lock, ownsHandle: true), FileAccess.ReadWrite)
                : ManagedWorkerFiles.TryLock(Path.Combine(_paths.Root, "lock"))
                ?? throw new ManagedWorkersException(
                    $"{_paths.Root} is in use by another torbalancer. Stop that one, or set [ManagedWorkers] DataDirectory to another "
                        + $"directory.");
            foreach (string id in Ids)
            {
                ManagedWorkerFiles.MakePrivate(_paths.DataDirectory(id));
                if (Predecessor is null && ManagedWorkerFiles.CopyCaches(_paths.DataDirectory(Ids[0]), _paths.DataDirectory(id)))
                    Log.CacheCopied(_logger, id, Ids[0]);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ManagedWorkersException($"the managed workers cannot be started: {failure.Message}", failure);
        }

        _running = [.. Ids.Zip(Countries, (id, country) => Run(new ManagedTorWorker(
            id, _executable, _paths, extras.LinesFor(country), _sink, _logger, _time)
        {
            Adopted = Predecessor?.Tors.GetValueOrDefault(id),
            MayOwn = Predecessor?.LetsGo ?? Task.CompletedTask,
        }))];
    }

    /// <summary>
    /// Leaves tors, and the directory, to another process of ours, as they are. Those that it does not take stay ours as long as this runs;
    /// those that it has under their name and that it was not offered, because they were started since, are ended, and it starts its own;
    /// those that are not running yet are not started.
    /// </summary>
    /// <param name="takes">The workers that the other process has.</param>
    /// <param name="offered">By the worker's id: the processes that the other process has heard of.</param>
    public async Task LeaveAsync(IReadOnlyCollection<string> takes, IReadOnlyDictionary<string, TorProcess> offered, int successor)
    {
        var left = Array.FindAll(_running, one => takes.Contains(one.Worker.Id));
        await Task.WhenAll(left.Where(one => offered.ContainsKey(one.Worker.Id)).Select(
            one => one.Worker.LeaveAsync(offered[one.Worker.Id], successor)));
        foreach (var one in left)
            await one.Stop.CancelAsync();
        await Task.WhenAll(left.Select(static one => one.Task));
        if (_lock is not null)
            SharedDescriptors.Close(_lock);
        _lock = null;
    }

    /// <summary>
    /// Stops all of them at once: asked over the control port, then with SIGTERM, then with SIGKILL, each after 5 s. Returns when all are
    /// gone.
    /// </summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 0)
            await _stop.CancelAsync();
        await Task.WhenAll(_running.Select(static one => one.Task));
        _lock?.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var one in _running)
            one.Stop.Dispose();
        _stop.Dispose();
    }

    private RunningWorker Run(ManagedTorWorker worker)
    {
        var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        return new RunningWorker(worker, stop, worker.RunAsync(stop.Token));
    }

    private sealed record RunningWorker(ManagedTorWorker Worker, CancellationTokenSource Stop, Task Task);

    private static partial class Log
    {
        [LoggerMessage(
            ManagedWorkerEventIds.CacheCopied, LogLevel.Debug, "Worker {Worker}: new, begins with the directory documents of {From}")]
        public static partial void CacheCopied(ILogger logger, string worker, string from);
    }
}

/// <summary>The managed workers of another process of ours, which hands them over.</summary>
/// <param name="Lock">The descriptor of the directory's lock, ours from now on.</param>
/// <param name="Tors">By the worker's id.</param>
/// <param name="LetsGo">Completes when they are ours.</param>
internal sealed record ManagedTorHandOver(int Lock, IReadOnlyDictionary<string, AdoptedTor> Tors, Task LetsGo);
