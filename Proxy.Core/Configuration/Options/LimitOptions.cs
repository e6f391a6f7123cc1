using System.Globalization;

namespace TorBalancer.Configuration.Options;

/// <summary>How many new connections are let in: so many in a time, and so many of them at once.</summary>
/// <param name="Count">Connections in <paramref name="Per"/>, 1 to 1,000,000; 0: there is no limit.</param>
/// <param name="Per">A second, a minute or an hour.</param>
/// <param name="Burst">How many may come at once after a quiet time, 1 to 1,000,000.</param>
public readonly record struct ConnectionRate(int Count, TimeSpan Per, int Burst)
{
    /// <summary>False: there is no limit.</summary>
    public bool IsSet => Count > 0;

    /// <summary>As it is written in the configuration.</summary>
    public override string ToString() => !IsSet ? "off" : string.Create(
        CultureInfo.InvariantCulture, $"{Count}/{(Per.TotalHours >= 1 ? 'h' : Per.TotalMinutes >= 1 ? 'm' : 's')} burst {Burst}");

    /// <summary>With what a second brings as its burst.</summary>
    public static ConnectionRate Of(int count, TimeSpan per) => new(count, per, Math.Max(1, (int)Math.Ceiling(count / per.TotalSeconds)));
}

/// <summary>[Listener:name], how much of it one client, one user and all together may have.</summary>
public sealed class ListenerLimitOptions
{
    /// <summary>Connections of one client address at one time; 0: no limit. Default 0.</summary>
    public int MaxConnectionsPerClient { get; set; }

    /// <summary>Connections of one user at one time, unless its [User:name] says otherwise; 0: no limit. Default 0.</summary>
    public int MaxConnectionsPerUser { get; set; }

    /// <summary>New connections of all clients. Default: no limit.</summary>
    public ConnectionRate ConnectionRate { get; set; }

    /// <summary>New connections of one client address. Default: no limit.</summary>
    public ConnectionRate ConnectionRatePerClient { get; set; }

    /// <summary>New connections of one user, unless its [User:name] says otherwise. Default: no limit.</summary>
    public ConnectionRate ConnectionRatePerUser { get; set; }

    /// <summary>Bytes a second of all clients, both ways together; 0: no limit. Default 0.</summary>
    public long Bandwidth { get; set; }

    /// <summary>The same of one client address. Default 0.</summary>
    public long BandwidthPerClient { get; set; }

    /// <summary>The same of one user, unless its [User:name] says otherwise. Default 0.</summary>
    public long BandwidthPerUser { get; set; }
}

/// <summary>[User:name]: what one user may have, on whatever listener. What is not given is as the listener says.</summary>
public sealed class UserOptions
{
    /// <summary>The part after the colon of the section name: the user's name, in its letter case.</summary>
    public required string Name { get; init; }

    /// <summary>Connections at one time; 0: no limit; null: as MaxConnectionsPerUser.</summary>
    public int? MaxConnections { get; set; }

    /// <summary>New connections; null: as ConnectionRatePerUser.</summary>
    public ConnectionRate? ConnectionRate { get; set; }

    /// <summary>Bytes a second, both ways together; 0: no limit; null: as BandwidthPerUser.</summary>
    public long? Bandwidth { get; set; }

    /// <summary>The modes that it may use, the first where the one in force is none of them; empty: all.</summary>
    public IList<string> Modes { get; } = [];

    /// <summary>The only workers that carry its connections; empty: all.</summary>
    public IList<string> Workers { get; } = [];

    /// <summary>The only countries whose workers carry its connections, lower case; empty: all.</summary>
    public IList<string> Countries { get; } = [];
}
