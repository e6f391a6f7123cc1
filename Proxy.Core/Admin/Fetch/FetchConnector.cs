using System.Security.Cryptography;
using System.Text;
using TorBalancer.Configuration.Options;
using TorBalancer.Connecting;
using TorBalancer.Primitives;
using TorBalancer.Protocols;

namespace TorBalancer.Admin.Fetch;

/// <summary>Opens streams for fetches the way that clients' are opened, under an owner that no client can be.</summary>
internal sealed class FetchConnector(StreamOpener opener, Live<BalancingOptions> balancing)
{
    /// <summary>What clients send is bytes, mapped to Latin-1; U+FFFF is none of them, so no client shares a token with a fetch.</summary>
    private const string Nobody = "\uFFFFfetch";

    private static readonly ClientCredentials Credentials = new(Nobody, Nobody);

    /// <summary>
    /// A sticky key is a session: one token, and one worker unless another mode is asked for. Without a key the configured
    /// isolation holds, with all fetches as one client; "none" still keeps them apart from clients. As
    /// <see cref="StreamOpener.OpenAsync"/>.
    /// </summary>
    public ValueTask<ConnectOutcome> OpenAsync(FetchRequest request, HostEndPoint target, CancellationToken cancellationToken)
    {
        string? session = request.StickyKey is { } key ? Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key))) : null;
        var parameters = new UserParameters { BaseUser = Nobody, Session = session, Mode = request.Mode };
        var owner = new ConnectionOwner(Nobody, null, Credentials, parameters)
        {
            // [Balancing] StickyBy is about clients; a key that was given is what a fetch sticks to, whatever it says.
            StickyTo = session is null ? null : $"{Nobody}\0{session}",
        };
        var isolation = balancing.Value.Isolation is not IsolationMode.None and var configured ? configured : IsolationMode.Client;
        return opener.OpenAsync(
            new ProxyRequest(ClientProtocol.Unknown, ProxyCommand.Connect, target, Credentials), owner, null, isolation, cancellationToken);
    }
}
