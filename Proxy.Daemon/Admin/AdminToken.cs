using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace TorBalancer.Daemon.Admin;

/// <summary>
/// Lets nobody pass over TCP who does not send the token (RFC 6750, section 2.1). Who can open the unix socket has shown by that who he is.
/// </summary>
internal sealed class AdminToken(string token)
{
    private const string Scheme = "Bearer ";

    // Hashes have one length: comparing them tells neither what was right nor how long the token is.
    private readonly byte[] _hash = Hash(token);

    public Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Connection.LocalIpAddress is null)
            return next(context);
        string given = context.Request.Headers.Authorization.ToString();
        bool isBearer = given.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase);
        if (isBearer && CryptographicOperations.FixedTimeEquals(Hash(given[Scheme.Length..].Trim()), _hash))
            return next(context);

        // RFC 6750, section 3.1: no error code where nothing was sent.
        const string challenge = "Bearer realm=\"torbalancer\"";
        context.Response.Headers.WWWAuthenticate = isBearer ? challenge + ", error=\"invalid_token\"" : challenge;
        return context.WriteProblemAsync(
            StatusCodes.Status401Unauthorized,
            isBearer
                ? "the token is not the one of [Admin] Token" : "Authorization: Bearer TOKEN is needed, with the token of [Admin] Token");
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
