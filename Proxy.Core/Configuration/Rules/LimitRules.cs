using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>Limits and sections of users that never hold for anybody.</summary>
internal sealed class LimitRules(TorBalancerOptions options, GivenValues given, RuleReport report)
{
    public void Check()
    {
        foreach (var listener in options.Listeners)
            CheckListener(listener, $"Listener:{listener.Name}");
        foreach (var user in options.Users)
            CheckUser(user, $"User:{user.Name}");
    }

    private void CheckListener(ListenerOptions listener, string section)
    {
        var limits = listener.Limits;
        (string Key, bool IsLimited)[] ofUsers =
        [
            ("MaxConnectionsPerUser", limits.MaxConnectionsPerUser > 0), ("ConnectionRatePerUser", limits.ConnectionRatePerUser.IsSet),
            ("BandwidthPerUser", limits.BandwidthPerUser > 0),
        ];
        foreach (var (key, isLimited) in ofUsers)
        {
            if (isLimited && listener.Auth == ListenerAuth.None && !given.AnyFailed(section, "Auth"))
                report.Warning(section, key, $"{key} limits nobody: with Auth = none a user name is anybody's");
        }

        if (listener.AllowFrom.Count > 0 && !given.AnyFailed(section, "AllowFrom", "DenyFrom") && listener.AllowFrom.All(
                allowed => listener.DenyFrom.Any(
                    denied => denied.PrefixLength <= allowed.PrefixLength && denied.Contains(allowed.BaseAddress))))
            report.Warning(section, "DenyFrom", "DenyFrom has every network of AllowFrom and goes before it: nobody may connect");
    }

    private void CheckUser(UserOptions user, string section)
    {
        // A file of users that could not be read may have it.
        bool isKnown = options.Listeners.Any(listener => listener.Users.ContainsKey(user.Name)
            || given.AnyFailed($"Listener:{listener.Name}", "Users", "UsersFile"));
        if (!isKnown)
        {
            string? meant = options.Listeners.SelectMany(static listener => listener.Users.Keys)
                .FirstOrDefault(name => name.Equals(user.Name, StringComparison.OrdinalIgnoreCase));
            report.Warning(section, "MaxConnections",
                "holds for nobody: no listener has a user of this name" + (meant is null ? "" : $"; did you mean [User:{meant}]?"));
        }

        foreach (string worker in user.Workers)
        {
            if (options.Workers.Count > 0 && !options.Workers.Any(one => one.Name.Equals(worker, StringComparison.OrdinalIgnoreCase)))
                report.Warning(section, "Workers", $"there is no [Worker:{worker}]");
        }

        // Which workers discovery will find is not known.
        if (options.Discovery.IsOn)
            return;
        var served = options.UsesManagedWorkers
            ? options.ManagedWorkers.Countries.Select(static share => share.Country) : options.Workers.Select(static one => one.Country);
        foreach (string country in user.Countries.Except(served, StringComparer.OrdinalIgnoreCase))
            report.Warning(section, "Countries", $"no worker has its exits in {country}");
    }
}
