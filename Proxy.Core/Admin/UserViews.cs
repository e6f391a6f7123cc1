using TorBalancer.Configuration.Options;
using TorBalancer.Server;
using TorBalancer.Server.Limits;

namespace TorBalancer.Admin;

/// <summary>Users for people and programs that look on.</summary>
internal sealed class UserViews(ProxyServer server, UserTable users)
{
    /// <summary>How many there are.</summary>
    public int Count => Names().Count;

    /// <summary>By name.</summary>
    public UsersView All()
    {
        foreach (var connection in server.Connections.All)
            connection.Context.User?.Count(connection.Context.Counters);
        var sections = users.Sections.ToDictionary(static user => user.Name, StringComparer.Ordinal);
        return new UsersView([.. Names().Select(name => Of(name, sections.GetValueOrDefault(name)))]);
    }

    private SortedSet<string> Names() =>
        new(
            server.Listeners.SelectMany(static listener => listener.Users.Current.ByName.Keys)
                .Concat(users.Sections.Select(static user => user.Name)).Concat(users.All.Select(static account => account.Name)),
            StringComparer.Ordinal);

    private UserView Of(string name, UserOptions? section)
    {
        var account = users.Find(name);
        return new UserView
        {
            Name = UserTable.Printable(name),
            Active = account?.Active ?? 0,
            Connections = account?.Accepted ?? 0,
            BytesSent = account?.FromClient ?? 0,
            BytesReceived = account?.FromUpstream ?? 0,
            Refused = new UserRefusalsView(
                account?.Refused[LimitKind.MaxConnectionsPerUser] ?? 0, account?.Refused[LimitKind.ConnectionRatePerUser] ?? 0),
            Limits = section is null ? null : new UserLimitsView
            {
                MaxConnections = section.MaxConnections,
                ConnectionRate = section.ConnectionRate?.ToString(),
                Bandwidth = section.Bandwidth,
                Modes = [.. section.Modes],
                Workers = [.. section.Workers],
                Countries = [.. section.Countries],
            },
        };
    }
}
