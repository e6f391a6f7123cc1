using TorBalancer.Primitives;
using TorBalancer.Transport;

namespace TorBalancer.Forwarding;

/// <summary>How an origin's answer ended.</summary>
internal enum HttpAnswerEnd : byte
{
    /// <summary>The upstream closed before it sent a byte.</summary>
    NoAnswer,

    /// <summary>It closed within a head, or after interim responses only.</summary>
    Closed,

    /// <summary>Not HTTP/1, with a body whose end could be taken for two places, or too large.</summary>
    Malformed,

    Complete,

    /// <summary>101 was forwarded.</summary>
    Switched,

    /// <summary>
    /// It closed within the body, or the body turned out malformed or too large, when the client had the beginning of the answer.
    /// </summary>
    Truncated,

    ClientGone,

    Cancelled,
}

/// <param name="End">How it ended.</param>
/// <param name="Error">
/// What is wrong with an answer that is <see cref="HttpAnswerEnd.Malformed"/> or <see cref="HttpAnswerEnd.Truncated"/>.
/// </param>
/// <param name="CloseClient">No further request can come from the client.</param>
/// <param name="KeepUpstream">The upstream may carry another.</param>
internal readonly record struct HttpAnswer(
    HttpAnswerEnd End, ProxyError Error = default, bool CloseClient = false, bool KeepUpstream = false)
{
    /// <summary>
    /// How the stream ends that carried it, for its account. That an origin closes is its right, with an answer or without: only over a
    /// link, where nothing else is heard of the network, is the want of one held against the worker. Whoever answers nonsense has answered.
    /// </summary>
    public TunnelEnd StreamEnd => End switch
    {
        HttpAnswerEnd.ClientGone => TunnelEnd.ClientReset,
        HttpAnswerEnd.Malformed or HttpAnswerEnd.Cancelled => TunnelEnd.Aborted,
        _ => TunnelEnd.Finished,
    };

    public static HttpAnswer Malformed(string problem) =>
        new(HttpAnswerEnd.Malformed, new ProxyError(FailureCause.TargetProtocol, problem));
}
