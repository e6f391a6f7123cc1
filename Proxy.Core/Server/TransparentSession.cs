using System.Buffers;
using System.IO.Pipelines;
using TorBalancer.Primitives;
using TorBalancer.Protocols;
using TorBalancer.Transport;

namespace TorBalancer.Server;

/// <summary>
/// A connection that the kernel turned to us. Its client believes that it speaks with its target: there is nothing to read before the
/// stream is opened, nothing to answer, and a reset tells all that can be told of a failure.
/// </summary>
internal sealed class TransparentSession(TransportConnection client, ConnectionContext context, ConnectionServices services)
    : IClientSession
{
    /// <summary>
    /// The longest that a client's first bytes are waited for. Who speaks first sends them with his handshake's end; of the others each
    /// connection waits this long, next to nothing beside a stream through Tor.
    /// </summary>
    public static readonly TimeSpan SniffTime = TimeSpan.FromMilliseconds(100);

    public async ValueTask<SessionEnd> RunAsync(CancellationToken aborted)
    {
        var error = services.TransparentTargets.Find(client, context.Listener, out var target);
        if (error.IsError)
            return Refuse(error);
        var request = new ProxyRequest(ClientProtocol.Transparent, ProxyCommand.Connect, target, null);
        if (context.Listener.Sniffs && target.Address is not null && await SniffAsync(aborted) is { } name)
            request = request with { Named = name };
        var parameters = context.Listener.Implied?.AddTo(null, UserParameters.None) ?? UserParameters.None;
        var outcome = await new StreamRequest(client, context, services).OpenAsync(request, parameters, aborted);
        if (outcome.Stream is not { } stream)
            return Refuse(outcome.Error);
        stream.Begin(context.Counters);
        return new SessionEnd(ClientFarewell.None, stream);
    }

    private SessionEnd Refuse(ProxyError error)
    {
        context.Fail(error);
        return new SessionEnd(ClientFarewell.Abort);
    }

    /// <summary>The name in what the client says first, all of which stays in its reader; null: none came in time.</summary>
    private async ValueTask<HostEndPoint?> SniffAsync(CancellationToken aborted)
    {
        using var timer = new CancellationTokenSource(SniffTime, services.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, aborted);
        try
        {
            while (true)
            {
                var result = await client.Input.ReadAsync(either.Token);
                if (TryEnd(client.Input, result, out var name))
                    return name;
            }
        }
        catch (OperationCanceledException) when (!aborted.IsCancellationRequested)
        {
            return null;
        }
    }

    private static bool TryEnd(PipeReader input, ReadResult result, out HostEndPoint? name)
    {
        var buffer = result.Buffer;
        var state = NameSniffer.Find(buffer.IsSingleSegment ? buffer.FirstSpan : buffer.ToArray(), out var found);
        name = state == SniffState.Found ? found : null;
        bool isOver = state != SniffState.More || result.IsCompleted;

        // What was looked at is offered again to whoever reads next.
        input.AdvanceTo(buffer.Start, isOver ? buffer.Start : buffer.End);
        return isOver;
    }
}
