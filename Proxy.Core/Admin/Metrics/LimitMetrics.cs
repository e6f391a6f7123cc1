using TorBalancer.Server.Limits;

namespace TorBalancer.Admin.Metrics;

/// <summary>Who was refused by a limit, and what users take.</summary>
internal static class LimitMetrics
{
    /// <summary>The label of all users that have no section: names in a file of users may be many.</summary>
    private const string Others = "(others)";

    public static IEnumerable<MetricFamily> All()
    {
        yield return MetricFamily.Counter(
            "limits.refused", "{connection}", "Connections that were refused, by the limit that they passed", ["listener", "limit"],
            static (reading, sink) =>
            {
                foreach (var listener in reading.Parts.Server.Limiter.Listeners)
                {
                    foreach (var kind in LimitKinds.All)
                        sink.Add(listener.Value.Refused[kind], listener.Key, kind.Word());
                }
            });
        yield return MetricFamily.Counter(
            "user.connections", "{connection}", "Connections of users that were let in; of those without a [User:name] together", ["user"],
            static (reading, sink) => EachUser(reading, (name, accounts) => sink.Add(accounts.Sum(static one => one.Accepted), name)));
        yield return MetricFamily.Gauge(
            "user.active_connections", "{connection}", "Connections of users that there are", ["user"],
            static (reading, sink) => EachUser(reading, (name, accounts) => sink.Add(accounts.Sum(static one => one.Active), name)));
        yield return MetricFamily.Counter(
            "user.sent", "By", "Bytes that users sent", ["user"],
            static (reading, sink) => EachUser(reading, (name, accounts) => sink.Add(accounts.Sum(static one => one.FromClient), name)));
        yield return MetricFamily.Counter(
            "user.received", "By", "Bytes that users received", ["user"],
            static (reading, sink) => EachUser(reading, (name, accounts) => sink.Add(accounts.Sum(static one => one.FromUpstream), name)));
        yield return MetricFamily.Counter(
            "user.refused", "{connection}", "Connections of users that were refused, by the limit that they passed", ["user", "limit"],
            static (reading, sink) => EachUser(reading, (name, accounts) =>
            {
                foreach (var kind in UserKinds)
                    sink.Add(accounts.Sum(one => one.Refused[kind]), name, kind.Word());
            }));
    }

    private static IEnumerable<LimitKind> UserKinds => [LimitKind.MaxConnectionsPerUser, LimitKind.ConnectionRatePerUser];

    /// <summary>Each with a section of its own, and the others in one.</summary>
    private static void EachUser(MetricReading reading, Action<string, List<UserAccount>> show)
    {
        var users = reading.Parts.Server.Limiter.Users;
        var others = new List<UserAccount>();
        foreach (var account in users.All)
        {
            if (users.HasSection(account.Name))
                show(UserTable.Printable(account.Name), [account]);
            else
                others.Add(account);
        }

        if (others.Count > 0)
            show(Others, others);
    }
}
