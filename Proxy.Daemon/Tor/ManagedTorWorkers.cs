using Microsoft.Extensions.Logging;
using TorBalancer.Configuration.Options;

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
    private Task[] _running = [];
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
        Ids = [.. Enumerable.Range(1, Math.Max(0, options.Count)).Select(number => $"tor-{number}")];
        Countries = [.. options.Countries.SelectMany(static share => Enumerable.Repeat(share.Country, share.Count)).Take(options.Count)];
        if (Countries.Count < Ids.Count)
            Countries = [.. Countries, .. Enumerable.Repeat("", Ids.Count - Countries.Count)];
    }

    /// <summary>tor-1, tor-2, …</summary>
    public IReadOnlyList<string> Ids { get; }

    /// <summary>Of each of them, in the same order: the country that its exits are in, in lower case; empty: any.</summary>
    public IReadOnlyList<string> Countries { get; }

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
            _lock = ManagedWorkerFiles.TryLock(Path.Combine(_paths.Root, "lock"))
                ?? throw new ManagedWorkersException(
                    $"{_paths.Root} is in use by another torbalancer. Stop that one, or set [ManagedWorkers] DataDirectory to another "
                        + $"directory.");
            foreach (string id in Ids)
            {
                ManagedWorkerFiles.MakePrivate(_paths.DataDirectory(id));
                if (ManagedWorkerFiles.CopyCaches(_paths.DataDirectory(Ids[0]), _paths.DataDirectory(id)))
                    Log.CacheCopied(_logger, id, Ids[0]);
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ManagedWorkersException($"the managed workers cannot be started: {failure.Message}", failure);
        }

        _running = [.. Ids.Zip(Countries, (id, country) =>
            new ManagedTorWorker(id, _executable, _paths, extras.LinesFor(country), _sink, _logger, _time).RunAsync(_stop.Token))];
    }

    /// <summary>
    /// Stops all of them at once: asked over the control port, then with SIGTERM, then with SIGKILL, each after 5 s. Returns when all are
    /// gone.
    /// </summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stopped, 1) == 0)
            await _stop.CancelAsync();
        await Task.WhenAll(_running);
        _lock?.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(
            ManagedWorkerEventIds.CacheCopied, LogLevel.Debug, "Worker {Worker}: new, begins with the directory documents of {From}")]
        public static partial void CacheCopied(ILogger logger, string worker, string from);
    }
}
