using System.Threading.Channels;
using TorBalancer.Health.Alerts;

namespace TorBalancer.Tests.Support;

/// <summary>Hears all health events from its making on, as a subscriber does.</summary>
internal sealed class HeardEvents(HealthEvents events)
{
    private readonly ChannelReader<HealthEvent> _reader = events.Subscribe();
    private readonly List<HealthEvent> _heard = [];

    /// <summary>All so far, the newest last.</summary>
    public IReadOnlyList<HealthEvent> All
    {
        get
        {
            lock (_heard)
            {
                while (_reader.TryRead(out var one))
                    _heard.Add(one);
                return [.. _heard];
            }
        }
    }

    /// <summary>Nobody is declared dead, because our own network seems to be down.</summary>
    public bool IsFrozen =>
        All.LastOrDefault(
            static one =>
                one.Kind is HealthEventKind.DemotionFrozen or HealthEventKind.DemotionThawed)?.Kind == HealthEventKind.DemotionFrozen;
}
