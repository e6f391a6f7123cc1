using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Tests.Protocols.Http;

/// <summary>An authenticator that a test decides for; nobody has to send credentials.</summary>
internal sealed class Verdict(Func<ClientCredentials?, ProxyError> check) : IClientAuthenticator
{
    public bool RequiresCredentials => false;

    public ProxyError Check(ClientCredentials? credentials) => check(credentials);
}
