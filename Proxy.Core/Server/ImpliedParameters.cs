using System.Buffers;
using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>
/// What a listener adds to what its clients ask for: the session of the port that they come by, that of any user name
/// (<see cref="ListenerAuth.Challenge"/>), and a country. What a user name asks for itself is not changed.
/// </summary>
internal sealed class ImpliedParameters
{
    private static readonly SearchValues<char> SessionCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~");

    private readonly int? _port;
    private readonly TimeSpan? _lifetime;
    private readonly string? _country;
    private readonly bool _namesAreSessions;

    // Of those who send nothing, which are most: made once.
    private readonly UserParameters _ofNobody;

    private ImpliedParameters(ListenerOptions options, int? port)
    {
        _port = port;
        _lifetime = options.SessionLifetime > TimeSpan.Zero ? options.SessionLifetime : null;
        _country = options.Country.Length > 0 ? options.Country : null;
        _namesAreSessions = options.Auth == ListenerAuth.Challenge;
        _ofNobody = Of(null, UserParameters.None);
    }

    /// <summary>Null: it adds nothing.</summary>
    /// <param name="port">The one whose sessions they are, where each port is one.</param>
    public static ImpliedParameters? Of(ListenerOptions options, int? port) =>
        port is not null || options.Auth == ListenerAuth.Challenge || options.Country.Length > 0
            ? new ImpliedParameters(options, port) : null;

    /// <summary>A session of a port, as clients and operators call it.</summary>
    public static string NameOf(int port) => string.Create(CultureInfo.InvariantCulture, $"port_{port}");

    /// <param name="asked">What the credentials ask for by themselves.</param>
    public UserParameters AddTo(ClientCredentials? credentials, UserParameters asked) =>
        credentials is null ? _ofNobody : Of(credentials, asked);

    private UserParameters Of(ClientCredentials? credentials, UserParameters asked)
    {
        var all = asked;
        if (_country is not null && asked is { Country: null, Worker: null })
            all = all with { Country = _country };
        if (asked.Session is not null)
            return all;

        // A name of no parameters is part of what is kept apart, as it is without sessions.
        string baseUser = asked.BaseUser.Length > 0 ? asked.BaseUser : credentials?.User ?? "";
        if (_port is { } port)
        {
            return all with
            {
                Session = NameOf(port),
                SessionLifetime = _lifetime,
                BaseUser = baseUser,
                Port = port,
                IsSessionImplied = true,
            };
        }

        if (!_namesAreSessions || asked.IsIsolationOnly || baseUser.Length == 0)
            return all;

        // What could stand behind session- is that very session. Of any other name, the name itself tells it from those that look like it.
        bool isPlain = asked.KnownUser is null && !baseUser.AsSpan().ContainsAnyExcept(SessionCharacters);
        return all with
        {
            Session = isPlain ? baseUser : AsSession(baseUser),
            BaseUser = isPlain ? asked.BaseUser : baseUser,
            IsSessionImplied = true,
        };
    }

    private static string AsSession(string name) =>
        string.Create(name.Length, name, static (span, text) =>
        {
            for (int i = 0; i < span.Length; i++)
                span[i] = SessionCharacters.Contains(text[i]) ? text[i] : '_';
        });
}
