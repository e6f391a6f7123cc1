using TorBalancer.Protocols.Dns;

namespace TorBalancer.Server.Naming;

/// <summary>What became of a question.</summary>
internal enum DnsOutcome : byte
{
    /// <summary>A record.</summary>
    Answered,

    /// <summary>The name is there and has no record of that type.</summary>
    NoData,
    NameError,
    ServerFailure,
    Refused,
    NotImplemented,
    FormatError,

    /// <summary>Nothing was said, because AllowFrom does not name the client.</summary>
    NotAllowed,

    /// <summary>Nothing was said, because the client asks too much.</summary>
    Limited,
}

/// <summary>What was asked, as far as it is told apart.</summary>
internal enum DnsKind : byte
{
    A,
    Aaaa,
    Ptr,
    Other,
}

/// <summary>Where an answer came from that a worker gives.</summary>
internal enum DnsSource : byte
{
    Cache,

    /// <summary>Another client's question, or the same client's, was on its way already.</summary>
    Shared,
    Worker,
}

/// <summary>What comes to the name server, since the start. Counting is one atomic addition.</summary>
internal sealed class DnsCounters
{
    private static readonly string[] OutcomeWords =
        ["answered", "no_data", "name_error", "server_failure", "refused", "not_implemented", "format_error", "not_allowed", "limited"];

    private static readonly string[] KindWords = ["a", "aaaa", "ptr", "other"];

    private static readonly string[] SourceWords = ["cache", "shared", "worker"];

    private readonly long[] _queries = new long[KindWords.Length * OutcomeWords.Length];
    private readonly long[] _lookups = new long[SourceWords.Length];

    public static IReadOnlyList<DnsKind> Kinds { get; } = Enum.GetValues<DnsKind>();

    public static IReadOnlyList<DnsOutcome> Outcomes { get; } = Enum.GetValues<DnsOutcome>();

    public static IReadOnlyList<DnsSource> Sources { get; } = Enum.GetValues<DnsSource>();

    public static string Word(DnsKind kind) => KindWords[(int)kind];

    public static string Word(DnsOutcome outcome) => OutcomeWords[(int)outcome];

    public static string Word(DnsSource source) => SourceWords[(int)source];

    public long Queries(DnsKind kind, DnsOutcome outcome) => Interlocked.Read(ref _queries[IndexOf(kind, outcome)]);

    public long Lookups(DnsSource source) => Interlocked.Read(ref _lookups[(int)source]);

    /// <summary>One that was not read.</summary>
    public void Count(DnsOutcome outcome) => Interlocked.Increment(ref _queries[IndexOf(DnsKind.Other, outcome)]);

    public void Count(DnsQuery query, in DnsAnswer answer)
    {
        var outcome = answer.Code switch
        {
            DnsCode.NoError => answer.Value is null ? DnsOutcome.NoData : DnsOutcome.Answered,
            DnsCode.NameError => DnsOutcome.NameError,
            DnsCode.Refused => DnsOutcome.Refused,
            DnsCode.NotImplemented => DnsOutcome.NotImplemented,
            DnsCode.FormatError or DnsCode.BadVersion => DnsOutcome.FormatError,
            _ => DnsOutcome.ServerFailure,
        };
        var kind = query.Question.IsEmpty ? DnsKind.Other : query.Type switch
        {
            DnsType.A => DnsKind.A,
            DnsType.Aaaa => DnsKind.Aaaa,
            DnsType.Ptr => DnsKind.Ptr,
            _ => DnsKind.Other,
        };
        Interlocked.Increment(ref _queries[IndexOf(kind, outcome)]);
    }

    public void Count(DnsSource source) => Interlocked.Increment(ref _lookups[(int)source]);

    private static int IndexOf(DnsKind kind, DnsOutcome outcome) => ((int)kind * OutcomeWords.Length) + (int)outcome;
}
