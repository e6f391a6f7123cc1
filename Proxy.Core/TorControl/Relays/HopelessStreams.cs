using System.Globalization;
using Microsoft.Extensions.Logging;
using TorBalancer.TorControl.Events;

namespace TorBalancer.TorControl.Relays;

/// <summary>
/// Ends those streams of ours that none of one tor's exits takes, by the reason that is true of them, so that the client hears it at once.
/// Left alone tor (0.4.9.11, measured) goes on until its own time for a stream is over, two minutes: an exit that refuses is asked again
/// over the same circuit as soon as it has answered; and where it has few exits to choose from (ExitNodes with StrictNodes) and none of
/// them takes the port, it builds circuits as fast as it can, hundreds a second on loopback, each of which the stream cannot use.
/// </summary>
/// <remarks>
/// Only streams that came with our user name are touched: others at the same tor are somebody else's. <c>Observe</c> takes events and waits
/// for nothing; <c>EndAsync</c> is the maintenance loop's. Thread-safe.
/// </remarks>
internal sealed partial class HopelessStreams(string workerId, TimeProvider time, ILogger logger)
{
    /// <summary>The user name of isolation tokens (proposal 351), as tor reports it.</summary>
    internal const string OurUserName = "<torS0X>0";

    /// <summary>
    /// tor builds a circuit for a stream to an exit that takes its port, if there is one: of two that are built at a time one may have been
    /// meant for another stream of the same token.
    /// </summary>
    internal const int MostCircuits = 8;

    /// <summary>By exits on different circuits; one that says it twice is enough.</summary>
    private const int MostRefusals = 3;

    /// <summary>As many as may wait for an answer at one tor; beyond them streams are not followed.</summary>
    private const int MaxStreams = 4096;

    /// <summary>RELAY_END reason of tor-spec, and so of CLOSESTREAM.</summary>
    private const int ExitPolicyReason = 4;

    private const int MaxPorts = 256;

    /// <summary>Then it is found out anew, whether the list of relays has changed or not.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<string, Waiting> _streams = new(StringComparer.Ordinal);
    private readonly Dictionary<string, long> _ports = new(StringComparer.Ordinal);
    private readonly Queue<string> _ending = new();

    /// <summary>Another process may answer next, or events were lost.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _streams.Clear();
            _ports.Clear();
            _ending.Clear();
        }
    }

    /// <summary>Takes in one event. True when there is one to end.</summary>
    public bool Observe(ControlEvent message)
    {
        lock (_lock)
        {
            switch (message)
            {
                case StreamEvent { Stream: var stream }:
                    return Changed_NeedsLock(stream);
                case CircuitEvent { Circuit: { Status: CircuitStatus.Built, SocksPassword: { } password } }:
                    return Built_NeedsLock(password);
                case ConfChangedEvent or StatusEvent { Action: "CONSENSUS_ARRIVED" }:
                    _ports.Clear();
                    return false;
                default:
                    return false;
            }
        }
    }

    /// <summary>Ends those that were found; tor answers their clients with SOCKS code 02.</summary>
    public async Task EndAsync(ControlConnection control, CancellationToken cancellationToken)
    {
        while (TryTake() is { } stream)
        {
            try
            {
                await control.CloseStreamAsync(stream, ExitPolicyReason, cancellationToken);
            }
            catch (Exception failure) when (ControlFailures.IsOfCommand(failure))
            {
                Log.NotEnded(logger, workerId, stream, failure.Message);
            }
        }
    }

    private string? TryTake()
    {
        lock (_lock)
            return _ending.TryDequeue(out string? stream) ? stream : null;
    }

    private bool Changed_NeedsLock(StreamInfo stream)
    {
        switch (stream.Status)
        {
            case StreamStatus.New when IsOurs(stream) && _streams.Count < MaxStreams:
                var waiting = new Waiting(stream.SocksPassword!, PortOf(stream));
                _streams[stream.Id] = waiting;
                return IsKnown_NeedsLock(waiting.Port) && End_NeedsLock(stream.Id, waiting);
            case StreamStatus.SentConnect when _streams.TryGetValue(stream.Id, out var sent):
                sent.IsAttached = true;
                return false;
            case StreamStatus.Detached when _streams.TryGetValue(stream.Id, out var detached):
                (detached.IsAttached, detached.Circuits) = (false, 0);
                if (stream is not { Reason: "END", RemoteReason: "EXITPOLICY" })
                    return false;
                bool isAgain = stream.CircuitId is not null && detached.RefusedBy == stream.CircuitId;
                detached.RefusedBy = stream.CircuitId;
                return (++detached.Refusals == MostRefusals || isAgain) && End_NeedsLock(stream.Id, detached);
            case StreamStatus.Succeeded or StreamStatus.Failed or StreamStatus.Closed:
                _streams.Remove(stream.Id);
                return false;
            default:
                return false;
        }
    }

    /// <summary>A circuit that tor has built for streams with that password; those that could take it do so at this moment.</summary>
    private bool Built_NeedsLock(string password)
    {
        bool ends = false;
        foreach (var (id, stream) in _streams)
        {
            if (stream.IsAttached || stream.Password != password || ++stream.Circuits <= MostCircuits || !End_NeedsLock(id, stream))
                continue;
            ends = true;

            // Of several that found it out at one time the first one tells.
            bool isNews = !IsKnown_NeedsLock(stream.Port);
            if (_ports.Count == MaxPorts)
                _ports.Clear();
            _ports[stream.Port] = time.GetTimestamp();
            if (isNews)
                Log.PortOfNobody(logger, workerId, stream.Port);
        }

        return ends;
    }

    private bool IsKnown_NeedsLock(string port) => _ports.TryGetValue(port, out long since) && time.GetElapsedTime(since) <= Remembered;

    private bool End_NeedsLock(string id, Waiting stream)
    {
        if (stream.IsEnding)
            return false;
        stream.IsEnding = true;
        _ending.Enqueue(id);
        return true;
    }

    private static bool IsOurs(StreamInfo stream) =>
        stream.Purpose is null or "USER" && stream.SocksPassword is not null && stream.Keywords["SOCKS_USERNAME"] == OurUserName
            && !stream.TargetHost.EndsWith(".onion", StringComparison.OrdinalIgnoreCase);

    /// <summary>The port; exits have another policy for addresses of IPv6.</summary>
    private static string PortOf(StreamInfo stream)
    {
        string port = stream.Target[(stream.Target.LastIndexOf(':') + 1)..];
        return stream.Target.StartsWith('[') ? string.Create(CultureInfo.InvariantCulture, $"{port} of IPv6") : port;
    }

    private sealed class Waiting(string password, string port)
    {
        public string Password => password;

        public string Port => port;

        public bool IsAttached { get; set; }

        /// <summary>Built for it since it waits, and not taken.</summary>
        public int Circuits { get; set; }

        public int Refusals { get; set; }

        /// <summary>The circuit whose exit refused last.</summary>
        public string? RefusedBy { get; set; }

        public bool IsEnding { get; set; }
    }

    private static partial class Log
    {
        [LoggerMessage(
            RelayEventIds.PortOfNobody, LogLevel.Information,
            "Worker {Worker}: none of the exits that its tor may use takes port {Port}: connections there are refused for a while")]
        public static partial void PortOfNobody(ILogger logger, string worker, string port);

        [LoggerMessage(RelayEventIds.StreamNotEnded, LogLevel.Debug, "Worker {Worker}: stream {Stream} was not ended: {Problem}")]
        public static partial void NotEnded(ILogger logger, string worker, string stream, string problem);
    }
}
