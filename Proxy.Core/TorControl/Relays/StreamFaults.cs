using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>What the end of an attempt says about the exit that carried it.</summary>
internal enum StreamFault : byte
{
    /// <summary>None: the stream opened.</summary>
    None,

    /// <summary>The exit or the destination: one alone cannot tell.</summary>
    Ambiguous,

    /// <summary>The exit said that it cannot or will not carry streams now.</summary>
    Exit,

    /// <summary>The circuit died from its far side while the stream was on it.</summary>
    CircuitDied,
}

/// <summary>Which reasons of STREAM DETACHED and STREAM FAILED count against an exit (tor-spec 6.3, RELAY_END reasons).</summary>
internal static class StreamFaults
{
    /// <summary>
    /// The fault, or null when the end says nothing about the exit. EXITPOLICY is not here: an exit may refuse what it likes, and
    /// <see cref="HopelessStreams"/> ends what asks for it. DESTROY is not either: the circuit's own end says more.
    /// </summary>
    public static StreamFault? Of(StreamInfo stream) => stream.Reason switch
    {
        "TIMEOUT" => StreamFault.Ambiguous,
        "END" => stream.RemoteReason switch
        {
            "HIBERNATING" or "RESOURCELIMIT" or "INTERNAL" or "TORPROTOCOL" => StreamFault.Exit,
            "RESOLVEFAILED" or "CONNECTREFUSED" or "NOROUTE" or "CONNRESET" or "TIMEOUT" or "MISC" => StreamFault.Ambiguous,
            _ => null,
        },
        _ => null,
    };
}

/// <summary>How one attempt of a stream at one exit went.</summary>
/// <param name="Fault">None: it opened.</param>
/// <param name="CircuitKey">The circuit, or the conflux set: both legs count as one.</param>
/// <param name="CircuitId">The circuit that tor named; one leg of a set.</param>
/// <param name="Exit">Its last relay.</param>
/// <param name="Destination">The host that the client asked for, in lower case.</param>
/// <param name="Password">The SOCKS password that the stream came with; null: none.</param>
internal readonly record struct StreamVerdict(
    StreamFault Fault, string CircuitKey, string CircuitId, RelayName Exit, string Destination, string? Password);
