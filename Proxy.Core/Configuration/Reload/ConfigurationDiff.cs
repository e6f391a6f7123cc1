using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Schema;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Reload;

/// <summary>
/// What differs between two configurations, key by key, in the order of the schema. A key that is left out has its default, so
/// writing the default down is no change. What the publisher alone reads is left out.
/// </summary>
internal static class ConfigurationDiff
{
    private const string Secret = "(secret)", OtherSecret = "(another secret)", OtherEnd = " (another one)";

    public static IReadOnlyList<ConfigurationChange> Of(ConfigurationSchema schema, ConfigurationResult old, ConfigurationResult next)
    {
        var changes = new List<ConfigurationChange>();
        foreach (var section in schema.Sections.Except(schema.OfPublisher))
        {
            foreach (string path in Paths(section, old.Given, next.Given))
                AddKeys(section, path, old.Given, next.Given, changes);
            if (section == schema.Worker || section == schema.Rule)
                AddOrder(section, old.Given, next.Given, changes);
        }

        AddUsers(old.Options, next.Options, changes);
        return changes;
    }

    private static IEnumerable<string> Paths(SchemaSection section, GivenValues old, GivenValues next)
    {
        if (!section.IsNamed)
            return [section.Name];
        return next.SectionsOf(section.Name).Concat(old.SectionsOf(section.Name)).Distinct(StringComparer.OrdinalIgnoreCase);
    }

    private static void AddKeys(
        SchemaSection section, string path, GivenValues old, GivenValues next, List<ConfigurationChange> changes)
    {
        bool was = !section.IsNamed || old.HasSection(path), isThere = !section.IsNamed || next.HasSection(path);
        int before = changes.Count;
        foreach (var key in section.Keys)
        {
            var (left, right) = (old.Find(path, key.Name), next.Find(path, key.Name));
            string? from = was ? Text(key, left) : null, to = isThere ? Text(key, right) : null;

            // Of a section that comes or goes, what somebody has written.
            bool differs = was && isThere ? from != to : left is { IsSet: true } || right is { IsSet: true };
            if (differs)
                changes.Add(Change(path, key, from, to));
        }

        if (was != isThere && changes.Count == before)
            changes.Add(Change(path, section.Keys[0], was ? section.Keys[0].Default : null, isThere ? section.Keys[0].Default : null));
    }

    private static string Text(SchemaKey key, GivenValue? value) => value is { IsSet: true } ? value.Text.Trim() : key.Default;

    private static ConfigurationChange Change(string path, SchemaKey key, string? from, string? to)
    {
        if (!key.IsSecret)
        {
            string? before = Printable(from), after = Printable(to);

            // What differs is not shown: a path, or what is cut off.
            return new ConfigurationChange(path, key.Name, before, before == after ? after + OtherEnd : after, key.NeedsRestart);
        }

        string? shown = string.IsNullOrEmpty(from) ? from : Secret;
        string? other = string.IsNullOrEmpty(to) ? to : shown == Secret ? OtherSecret : Secret;
        return new ConfigurationChange(path, key.Name, shown, other, key.NeedsRestart);
    }

    private static string? Printable(string? text) =>
        text is null ? null : ConfText.Printable(EffectiveConfiguration.WithoutPath(text));

    /// <summary>The first rule that fits decides, and the first worker that carries anything is the one of mode failover.</summary>
    private static void AddOrder(SchemaSection section, GivenValues old, GivenValues next, List<ConfigurationChange> changes)
    {
        string[] before = [.. old.SectionsOf(section.Name).Where(next.HasSection)];
        string[] after = [.. next.SectionsOf(section.Name).Where(old.HasSection)];
        if (!before.SequenceEqual(after, StringComparer.OrdinalIgnoreCase))
            changes.Add(new ConfigurationChange(section.Name, ConfigurationChange.Order, Join(before), Join(after), NeedsRestart: false));

        string Join(string[] paths) => string.Join(", ", paths.Select(path => path[(section.Name.Length + 1)..]));
    }

    /// <summary>The name of a file may be the same and what stands in it another.</summary>
    private static void AddUsers(TorBalancerOptions old, TorBalancerOptions next, List<ConfigurationChange> changes)
    {
        foreach (var listener in next.Listeners)
        {
            string path = $"Listener:{listener.Name}";
            var before = old.Listeners.FirstOrDefault(one => one.Name.Equals(listener.Name, StringComparison.OrdinalIgnoreCase));
            bool isTold = changes.Exists(
                change => change.Section.Equals(path, StringComparison.OrdinalIgnoreCase) && change.Key is "Users" or "UsersFile");
            if (before is null || isTold || IsSame(before.Users, listener.Users))
                continue;
            changes.Add(
                new ConfigurationChange(
                    path, "UsersFile", Count(before.Users), Count(listener.Users) + ", others", NeedsRestart: false));
        }
    }

    private static string Count(IDictionary<string, string> users) => string.Create(CultureInfo.InvariantCulture, $"{users.Count} users");

    private static bool IsSame(IDictionary<string, string> one, IDictionary<string, string> other) =>
        one.Count == other.Count && one.All(user => other.TryGetValue(user.Key, out string? password) && password == user.Value);
}
