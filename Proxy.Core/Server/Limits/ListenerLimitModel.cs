using TorBalancer.Configuration.Options;

namespace TorBalancer.Server.Limits;

/// <summary>What is configured of a listener's limits; immutable.</summary>
internal sealed class ListenerLimitModel(ListenerLimitOptions options)
{
    public int MaxConnectionsPerClient { get; } = options.MaxConnectionsPerClient;

    public int MaxConnectionsPerUser { get; } = options.MaxConnectionsPerUser;

    public ConnectionRate ConnectionRate { get; } = options.ConnectionRate;

    public ConnectionRate ConnectionRatePerClient { get; } = options.ConnectionRatePerClient;

    public ConnectionRate ConnectionRatePerUser { get; } = options.ConnectionRatePerUser;

    public long Bandwidth { get; } = options.Bandwidth;

    public long BandwidthPerClient { get; } = options.BandwidthPerClient;

    public long BandwidthPerUser { get; } = options.BandwidthPerUser;

    /// <summary>Whether clients are told apart: an account of each is kept.</summary>
    public bool CountsClients => MaxConnectionsPerClient > 0 || ConnectionRatePerClient.IsSet || BandwidthPerClient > 0;

    /// <summary>Null: nothing is limited, and nothing is to be asked.</summary>
    public static ListenerLimitModel? Of(ListenerLimitOptions options)
    {
        var model = new ListenerLimitModel(options);
        return model.CountsClients || model.ConnectionRate.IsSet || model.MaxConnectionsPerUser > 0 || model.ConnectionRatePerUser.IsSet
            || model.Bandwidth > 0 || model.BandwidthPerUser > 0
            ? model : null;
    }
}
