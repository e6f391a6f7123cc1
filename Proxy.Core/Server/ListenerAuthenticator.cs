using System.Net;
using TorBalancer.Authentication;
using TorBalancer.Configuration.Options;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Server;

/// <summary>One connection's view of its listener's rules: who may use it, and what the user name asks for.</summary>
/// <param name="listener">Whose rules.</param>
/// <param name="parser">Reads user names.</param>
/// <param name="passwords">Says whether they are right.</param>
/// <param name="client">The client's address; null of a unix socket.</param>
/// <param name="isHttp">True where a user of Basic may be one of Tor's, which is for isolation only, unless the listener knows it.</param>
internal sealed class ListenerAuthenticator(
    ListenerModel listener, UserParametersParser parser, PasswordChecker passwords, IPAddress? client = null, bool isHttp = false)
    : IClientAuthenticator
{
    /// <summary>The name that Tor's specification gives to such a user, and a shorter one that is in use.</summary>
    private static readonly string[] IsolationUsers = ["tor-iso", "tor"];

    private ClientCredentials? _checked;

    public bool RequiresCredentials => listener.Auth == ListenerAuth.Required;

    /// <summary>The parameters in the credentials that were checked last.</summary>
    public UserParameters Parameters { get; private set; } = UserParameters.None;

    /// <summary>What would be said to a client that knows the password of whoever it says it is: for somebody who only asks.</summary>
    /// <param name="user">The name as the parsers give it; null: it sends none.</param>
    /// <param name="credentials">What such a client would send, without its password where only the hash is known.</param>
    public static ProxyError Assume(
        ListenerModel listener, UserParametersParser parser, string? user, out ClientCredentials? credentials,
        out UserParameters parameters)
    {
        (credentials, parameters) = (null, UserParameters.None);
        if (user is null)
        {
            parameters = Complete(listener, null, parameters);
            return listener.Auth == ListenerAuth.Required ? Nobody() : default;
        }

        var users = listener.Users.Current.ByName;
        string? known = listener.Auth == ListenerAuth.None ? null : UserParametersParser.FindKnownUser(user, users);
        credentials = new ClientCredentials(user, known is null ? "" : users[known].KnownPassword);
        if (known is null && listener.Auth == ListenerAuth.Required)
            return WrongPassword();
        var error = parser.Parse(credentials, known, out parameters, credentials.Password.Length);
        parameters = Complete(listener, credentials, parameters);
        return error;
    }

    public bool TryCheck(ClientCredentials? credentials, out ProxyError error)
    {
        error = default;
        if (credentials is not null && ReferenceEquals(credentials, _checked))
            return true;
        if (isHttp && credentials is not null && IsolationUsers.Contains(credentials.User)
            && !listener.Users.Current.ByName.ContainsKey(credentials.User))
        {
            error = RequiresCredentials ? Nobody() : Accept(credentials, UserParameters.IsolationOnly);
            return true;
        }

        if (credentials is null)
        {
            error = RequiresCredentials || (isHttp && listener.Auth == ListenerAuth.Challenge)
                ? Nobody() : Accept(null, UserParameters.None);
            return true;
        }

        if (!TryFind(credentials, out var login, out string? knownUser))
        {
            error = RequiresCredentials ? WrongPassword() : Parse(credentials, null, 0);
            return true;
        }

        var verdict = passwords.TryVerify(login, out int secretLength);
        if (verdict == LoginVerdict.Pending)
            return false;
        error = ErrorOf(verdict, login) is { IsError: true } refused ? refused : Parse(credentials, knownUser, secretLength);
        return true;
    }

    public async ValueTask<ProxyError> CheckAsync(ClientCredentials credentials, CancellationToken cancellationToken)
    {
        // The users may be others by now.
        if (!TryFind(credentials, out var login, out string? knownUser) || login.User.Hash is null)
            return TryCheck(credentials, out var sooner) ? sooner : WrongPassword();

        // Half the time that the client has for its request: the other half is for an answer that it still hears.
        var refused = ErrorOf(await passwords.VerifyAsync(login, listener.HandshakeTimeout / 2, cancellationToken), login);
        return refused.IsError ? refused : Parse(credentials, knownUser, UserParametersParser.SecretLength(credentials.Password));
    }

    private static ProxyError Nobody() => new(FailureCause.AuthRequired, "this listener asks for a user name and password");

    private static ProxyError WrongPassword() => new(FailureCause.AuthFailed, "unknown user or wrong password");

    private ProxyError ErrorOf(LoginVerdict verdict, in Login login) => verdict switch
    {
        LoginVerdict.Right => default,
        LoginVerdict.TooMany => new ProxyError(
            FailureCause.TooManyFailedLogins, "too many wrong passwords from this address; the next one may be sent in a while")
        {
            RetryAfter = (ushort)Math.Clamp(Math.Ceiling(passwords.WaitOf(login).TotalSeconds), 1, ushort.MaxValue),
        },
        LoginVerdict.Overloaded => new ProxyError(FailureCause.LoginsOverloaded, "too many passwords are being verified"),
        LoginVerdict.Failed => new ProxyError(FailureCause.InternalError, "the password could not be verified"),
        _ => WrongPassword(),
    };

    /// <summary>
    /// Whose password the client's has to be. A name that nobody has is as much work as one that somebody has. False: no password is asked
    /// for, or there are no users.
    /// </summary>
    private bool TryFind(ClientCredentials credentials, out Login login, out string? knownUser)
    {
        (login, knownUser) = (default, null);
        if (listener.Auth == ListenerAuth.None)
            return false;
        var users = listener.Users.Current;
        knownUser = UserParametersParser.FindKnownUser(credentials.User, users.ByName);
        if (knownUser is null && !RequiresCredentials)
            return false;
        var user = knownUser is null ? users.StandInFor(credentials.User) : users.ByName[knownUser];
        if (user is null)
            return false;
        var place = new LoginPlace(listener.Name, client, listener.FailedLogins);
        login = new Login(user, knownUser ?? credentials.User, knownUser is not null, credentials.Password, place);
        return true;
    }

    private ProxyError Parse(ClientCredentials credentials, string? knownUser, int secretLength)
    {
        var error = parser.Parse(credentials, knownUser, out var parameters, secretLength);
        return error.IsError ? error : Accept(credentials, parameters);
    }

    private ProxyError Accept(ClientCredentials? credentials, UserParameters parameters)
    {
        // A browser that is asked for a name and gets none sends an empty one.
        if (isHttp && listener.Auth == ListenerAuth.Challenge && credentials is { User.Length: 0 } && parameters.Session is null)
            return Nobody();
        _checked = credentials;
        Parameters = Complete(listener, credentials, parameters);
        return default;
    }

    private static UserParameters Complete(ListenerModel listener, ClientCredentials? credentials, UserParameters parameters) =>
        listener.Implied is { } implied ? implied.AddTo(credentials, parameters) : parameters;
}
