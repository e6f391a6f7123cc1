using System.IO.Pipelines;

namespace TorBalancer.Protocols.ProxyProtocol;

/// <summary>What came where a header is due.</summary>
/// <param name="State">Anything but incomplete.</param>
/// <param name="Header">Set when it is complete.</param>
/// <param name="Problem">What is wrong when it is invalid: a predicate.</param>
internal readonly record struct ReceivedProxyHeader(ProxyHeaderState State, ProxyHeader Header, string? Problem);

/// <summary>Reads a header of the PROXY protocol from a connection and nothing of what comes behind it.</summary>
internal static class ProxyHeaderReceiver
{
    public static async ValueTask<ReceivedProxyHeader> ReceiveAsync(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            var buffer = read.Buffer;
            var state = ProxyHeaderParser.Parse(buffer, out var header, out string? problem);
            if (state == ProxyHeaderState.Complete)
                input.AdvanceTo(buffer.GetPosition(header.Length));
            else
                input.AdvanceTo(buffer.Start, buffer.End);
            if (state != ProxyHeaderState.Incomplete)
                return new ReceivedProxyHeader(state, header, problem);
            if (read.IsCompleted)
            {
                return buffer.IsEmpty
                    ? new ReceivedProxyHeader(ProxyHeaderState.Closed, default, null)
                    : new ReceivedProxyHeader(ProxyHeaderState.Invalid, default, "is cut");
            }
        }
    }
}
