using System.Text;

namespace TorBalancer.Authentication;

/// <summary>
/// The users of one listener. A list never changes; another one takes its place, and whoever still holds the old one finds it by
/// <see cref="Current"/>.
/// </summary>
internal sealed class ListenerUsers
{
    private readonly Dictionary<string, ListenerUser> _byName;
    private readonly ListenerUser[] _all;
    private volatile ListenerUsers? _next;

    /// <param name="users">Names and secrets as configured.</param>
    public ListenerUsers(IEnumerable<KeyValuePair<string, string>> users)
    {
        // Names as the parsers give them, one character for each byte of UTF-8. A name beyond ASCII would otherwise never be met, and with
        // Auth = optional pass for a stranger's.
        _byName = users.ToDictionary(
            static user => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(user.Key)), static user => new ListenerUser(user.Value),
            StringComparer.Ordinal);
        _all = [.. _byName.Values];
    }

    /// <summary>By name, one character for each byte of UTF-8.</summary>
    public IReadOnlyDictionary<string, ListenerUser> ByName => _byName;

    /// <summary>The list that is in force: this one, or what has taken its place.</summary>
    public ListenerUsers Current
    {
        get
        {
            var current = this;
            while (current._next is { } next)
                current = next;
            return current;
        }
    }

    /// <summary>
    /// The user whose secret is tried for a name that nobody has, so that the answer takes as long as for somebody; always the same one for
    /// a name. Null: there are no users.
    /// </summary>
    public ListenerUser? StandInFor(string name) =>
        _all.Length == 0 ? null : _all[(uint)string.GetHashCode(name, StringComparison.Ordinal) % (uint)_all.Length];

    /// <summary>From now on that list is in force. Who has not changed in it need not be verified again.</summary>
    public void ReplaceBy(ListenerUsers next)
    {
        foreach (var (name, user) in next._byName)
        {
            if (_byName.TryGetValue(name, out var before))
                user.RememberAs(before);
        }

        _next = next;
    }
}
