using System.Security.Cryptography;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>One connection's view of its listener's rules: who may use it, and what the user name asks for.</summary>
/// <param name="listener">Whose rules.</param>
/// <param name="parser">Reads user names.</param>
/// <param name="isHttp">True where a user of Basic may be one of Tor's, which is for isolation only, unless the listener knows it.</param>
internal sealed class ListenerAuthenticator(ListenerModel listener, UserParametersParser parser, bool isHttp = false) : IClientAuthenticator
{
    /// <summary>The name that Tor's specification gives to such a user, and a shorter one that is in use.</summary>
    private static readonly string[] IsolationUsers = ["tor-iso", "tor"];

    private ClientCredentials? _checked;

    public bool RequiresCredentials => listener.Auth == ListenerAuth.Required;

    /// <summary>The parameters in the credentials that were checked last.</summary>
    public UserParameters Parameters { get; private set; } = UserParameters.None;

    public ProxyError Check(ClientCredentials? credentials)
    {
        if (credentials is not null && ReferenceEquals(credentials, _checked))
            return default;
        bool isIsolation = isHttp && credentials is not null && IsolationUsers.Contains(credentials.User)
            && !listener.Users.ContainsKey(credentials.User);
        var error = Verify(isIsolation ? null : credentials, out string? knownUser);
        if (isIsolation && !error.IsError)
            return Accept(credentials, UserParameters.IsolationOnly);
        if (!error.IsError)
            error = parser.Parse(credentials, knownUser, out var parameters, SecretLength(knownUser)) is { IsError: true } bad
                ? bad
                : Accept(credentials, parameters);
        return error;
    }

    /// <summary>As <see cref="Check"/> for a client that knows the password of whoever it says it is: for somebody who only asks.</summary>
    /// <param name="user">The name as the parsers give it; null: it sends none.</param>
    /// <param name="credentials">What such a client would send.</param>
    public ProxyError Assume(string? user, out ClientCredentials? credentials)
    {
        string? known = user is null || listener.Auth == ListenerAuth.None
            ? null : UserParametersParser.FindKnownUser(user, listener.Users);
        credentials = user is null
            ? null
            : new ClientCredentials(user, known is null ? "" : Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(listener.Users[known])));
        return Check(credentials);
    }

    private ProxyError Accept(ClientCredentials? credentials, UserParameters parameters)
    {
        _checked = credentials;
        Parameters = parameters;
        return default;
    }

    private ProxyError Verify(ClientCredentials? credentials, out string? knownUser)
    {
        knownUser = null;
        if (listener.Auth == ListenerAuth.None)
            return default;
        if (credentials is null)
            return RequiresCredentials
                ? new ProxyError(FailureCause.AuthRequired, "this listener asks for a user name and password")
                : default;
        knownUser = UserParametersParser.FindKnownUser(credentials.User, listener.Users);
        if (knownUser is null)
            return RequiresCredentials ? new ProxyError(FailureCause.AuthFailed, "unknown user or wrong password") : default;
        return Matches(credentials.Password, listener.Users[knownUser])
            ? default
            : new ProxyError(FailureCause.AuthFailed, "unknown user or wrong password");
    }

    /// <summary>Bytes of the password proper; parameters can only stand behind it. 0 where no password is known.</summary>
    private int SecretLength(string? knownUser) => knownUser is null ? 0 : Encoding.UTF8.GetByteCount(listener.Users[knownUser]);

    /// <summary>
    /// The password may carry parameters behind an underscore. Compared without telling by time how much was right.
    /// </summary>
    private static bool Matches(string given, string expected)
    {
        byte[] wanted = Encoding.UTF8.GetBytes(expected);
        bool whole = CryptographicOperations.FixedTimeEquals(Encoding.Latin1.GetBytes(given), wanted);
        bool head = given.Length > wanted.Length && given[wanted.Length] == '_'
            && CryptographicOperations.FixedTimeEquals(Encoding.Latin1.GetBytes(given[..wanted.Length]), wanted);
        return whole || head;
    }
}
