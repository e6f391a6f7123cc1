using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Tests.Protocols.Http;

/// <summary>An authenticator that a test decides for; nobody has to send credentials.</summary>
internal sealed class Verdict(Func<ClientCredentials?, ProxyError> check) : IClientAuthenticator
{
    public bool RequiresCredentials => false;

    public bool TryCheck(ClientCredentials? credentials, out ProxyError error)
    {
        error = check(credentials);
        return true;
    }

    public ValueTask<ProxyError> CheckAsync(ClientCredentials credentials, CancellationToken cancellationToken) => new(check(credentials));
}
