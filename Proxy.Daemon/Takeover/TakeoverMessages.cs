using System.Text.Json.Serialization;
using TorBalancer.Connecting;
using TorBalancer.Health;
using TorBalancer.Routing;
using TorBalancer.TorControl.Relays;

namespace TorBalancer.Daemon.Takeover;

//   new process                                      running daemon
//   POST /api/v1/takeover, Upgrade  ------------->
//                                   <-------------   101
//   hello: versions                 ------------->
//                                   <-------------   offer, descriptors
//   ready: the workers that it has  ------------->
//                                   <-------------   state, and goes on accepting
//   stands: everything is started   ------------->   accepts nobody any more
//                                   <-------------   state, as far as it has changed
//   done: accepts                   ------------->   lets go
//                                   <-------------   released
//
// "done" is sent or it is not: the running daemon stops receiving (SHUT_RD) before it gives up, so that what could be sent has arrived.
// Until then it goes on, accepting again, as soon as the connection ends, or when "done" does not come in time; from then on the new one
// serves, whatever becomes of the other. A frame is its length in four bytes, most significant first, and JSON. Descriptors come in
// messages of one byte each (SharedDescriptors).

/// <summary>The first word of who wants to take over.</summary>
/// <param name="Versions">Of these messages, that it speaks.</param>
/// <param name="Program">Its release, for the log.</param>
internal sealed record TakeoverHello(IReadOnlyList<int> Versions, string Program);

/// <summary>What there is to take over, or why nothing is.</summary>
/// <remarks>What may be missing has a setter: to JSON made at build time the initial value of others is lost.</remarks>
internal sealed record TakeoverOffer
{
    /// <summary>Of these messages, the highest that both speak; 0: <see cref="Refusal"/> says why there is none.</summary>
    public int Version { get; set; }

    /// <summary>Why it cannot be now; null: it can.</summary>
    public string? Refusal { get; set; }

    /// <summary>The running release.</summary>
    public string Program { get; set; } = "";

    /// <summary>
    /// The running daemon's number. What its socket says (SO_PEERCRED) is whose who has listened on it last, which may be one that failed.
    /// </summary>
    public int ProcessId { get; set; }

    /// <summary>In the order in which they come.</summary>
    public IReadOnlyList<TakeoverDescriptor> Descriptors { get; set; } = [];

    /// <summary>Hexadecimal digits, when the running daemon's isolation key stands in no file; null: the file has it.</summary>
    public string? IsolationKey { get; set; }

    /// <summary>Managed workers; null: it has none.</summary>
    public TakeoverWorkers? Workers { get; set; }
}

/// <summary>What one descriptor is.</summary>
/// <param name="Kind">One of <see cref="TakeoverKinds"/>.</param>
/// <param name="Name">Which of that kind.</param>
/// <param name="Address">Of a socket: the address as it was configured; else empty.</param>
/// <param name="OwnsFile">Of a unix socket: whether its file is to be removed at the end.</param>
internal sealed record TakeoverDescriptor(string Kind, string Name, string Address = "", bool OwnsFile = false);

/// <summary>What descriptors are handed over. Words are contract of a version.</summary>
internal static class TakeoverKinds
{
    public const string Listener = "listener", Readiness = "readiness", Admin = "admin", Dns = "dns";

    public const string WorkersLock = "workers_lock", TorOutput = "tor_output";

    /// <summary>The process itself, as a pidfd; none where the kernel has no such thing.</summary>
    public const string TorProcess = "tor_process";
}

/// <param name="Root">Where the workers' directories are.</param>
/// <param name="Sockets">Where their sockets are; null: ports instead.</param>
internal sealed record TakeoverWorkers(string Root, string? Sockets, IReadOnlyList<TakeoverTor> Tors);

/// <param name="Started">When, in ticks since the machine's boot.</param>
/// <param name="IsReady">It can carry streams.</param>
internal sealed record TakeoverTor(string Id, int ProcessId, long Started, bool IsReady);

/// <summary>The new process could begin.</summary>
/// <param name="Workers">The managed workers that it has by its configuration.</param>
internal sealed record TakeoverReady(IReadOnlyList<string> Workers);

/// <summary>
/// What the running daemon knows. It is said twice: whole while it goes on accepting, for the start, and when it accepts nobody any more,
/// with only that of what there may be much of that has changed since. Of one kind, so that the second time all its code is warm.
/// </summary>
internal sealed record TakeoverState
{
    /// <summary>Nothing.</summary>
    public static TakeoverState Empty { get; } = new()
    {
        Sessions = new SessionTableState
        {
            RotatedAll = new RotationState(0, 0, 0),
            Rotated = new Dictionary<string, RotationState>(),
            Sessions = [],
        },
        Relays = new RelayWatchState([], []),
        Workers = [],
    };

    /// <summary>The second time only those that are new or were used since, and all of the rest.</summary>
    public required SessionTableState Sessions { get; init; }

    /// <summary>
    /// The names that have addresses, the one that was used last first. The second time only those that were used since.
    /// </summary>
    public IReadOnlyList<VirtualNameState> VirtualNames { get; set; } = [];

    public required RelayWatchState Relays { get; init; }

    public required IReadOnlyList<WorkerHandOver> Workers { get; init; }

    /// <summary>The workers that DNS has named; they do not change while a takeover is under way.</summary>
    /// <remarks>See <see cref="TakeoverOffer"/> for the setter.</remarks>
    public IReadOnlyList<TakeoverDiscovered> Discovered { get; set; } = [];
}

/// <param name="Keys">Of its section, with their values.</param>
internal sealed record TakeoverDiscovered(string Id, IReadOnlyDictionary<string, string> Keys);

/// <summary>stands, done, released.</summary>
internal sealed record TakeoverWord(string Word)
{
    public const string Stands = "stands", Done = "done", Released = "released";
}

/// <summary>
/// The messages' JSON; generated at build time, because trimming leaves no reflection. A message without what it needs is none; what is
/// added to a version must therefore be optional.
/// </summary>
[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(TakeoverHello))]
[JsonSerializable(typeof(TakeoverOffer))]
[JsonSerializable(typeof(TakeoverReady))]
[JsonSerializable(typeof(TakeoverState))]
[JsonSerializable(typeof(TakeoverWord))]
internal sealed partial class TakeoverJson : JsonSerializerContext;
