using TorBalancer.Onion.Keys;
using TorBalancer.Onion.Network;
using TorBalancer.TorControl;
using TorBalancer.TorControl.Events;

namespace TorBalancer.Onion.Inspection;

/// <summary>What a directory gave, or why it gave nothing.</summary>
/// <param name="Directory">Its fingerprint; null when tor found none to ask.</param>
/// <param name="Text">The descriptor; null when there is none.</param>
/// <param name="Failure">Tor's word for why not: NOT_FOUND, UNEXPECTED, QUERY_NO_HSDIR and others; null with a descriptor.</param>
internal sealed record FetchedDescriptor(string? Directory, string? Text, string? Failure);

/// <summary>The network as a tor knows it, and descriptors through it. One fetch at a time.</summary>
internal sealed class DescriptorSource : IDisposable
{
    private readonly ControlConnection _control;
    private readonly ControlSubscription _events;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;

    private DescriptorSource(ControlConnection control, TimeSpan timeout, TimeProvider time)
    {
        _control = control;
        _events = control.Subscribe();
        _timeout = timeout;
        _time = time;
    }

    /// <summary>Throws what <see cref="ControlConnection"/> does.</summary>
    /// <param name="control">A connection that nobody else has events from.</param>
    /// <param name="timeout">How long one fetch may take.</param>
    public static async Task<DescriptorSource> OpenAsync(
        ControlConnection control, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        await control.SetEventsAsync(["HS_DESC", "HS_DESC_CONTENT"], cancellationToken);
        return new DescriptorSource(control, timeout, time);
    }

    /// <summary>The consensus, and whether the network is a testing one; null with the reason when tor has none that can be used.</summary>
    public async Task<(NetworkConsensus? Consensus, bool IsTesting, string? Error)> ReadNetworkAsync(CancellationToken cancellationToken)
    {
        var (consensus, problem) = await TorNetwork.ReadAsync(_control, cancellationToken);
        return consensus is null
            ? (null, false, problem)
            : (consensus, await TorNetwork.IsTestingAsync(_control, cancellationToken), null);
    }

    /// <summary>Fetches the descriptor of the current time period.</summary>
    /// <param name="directory">Who is asked; null: whom tor picks.</param>
    public async Task<FetchedDescriptor> FetchAsync(
        OnionServiceAddress address, string? directory, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(_timeout, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        string? reason = null;
        try
        {
            await (directory is null
                ? _control.FetchDescriptorAsync(address.Label, both.Token)
                : _control.FetchDescriptorAsync(address.Label, directory, both.Token));
            await foreach (var one in _events.Events.ReadAllAsync(both.Token))
            {
                if (one is HsDescEvent { Action: "FAILED" } failed && failed.Address == address.Label)
                    reason = failed.Reason;
                if (one is not HsDescContentEvent content || content.Address != address.Label
                    || (directory is not null && content.HsDir is { } from && from.Fingerprint != directory))
                    continue;
                bool isEmpty = content.Content.AsSpan().Trim().IsEmpty;
                return new FetchedDescriptor(
                    content.HsDir?.Fingerprint ?? directory, isEmpty ? null : content.Content, isEmpty ? reason ?? "NOT_FOUND" : null);
            }

            throw new ControlConnectionException("the control port ended", _control.EndReason);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new FetchedDescriptor(directory, null, "no answer in time");
        }
        catch (ControlReplyException failure)
        {
            return new FetchedDescriptor(directory, null, failure.Message);
        }
    }

    public void Dispose() => _events.Dispose();
}
