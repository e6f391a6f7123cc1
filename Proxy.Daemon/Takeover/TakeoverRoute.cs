using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using TorBalancer.Daemon.Admin;
using TorBalancer.Interop;

namespace TorBalancer.Daemon.Takeover;

/// <summary>
/// The path by which another process takes over: over the unix socket, from the same user, and by an upgrade of the connection.
/// </summary>
internal sealed class TakeoverRoute(HandOver handOver)
{
    private static readonly string[] Write = ["POST"];

    public void Map(IEndpointRouteBuilder routes) => routes.MapMethods(TakeoverFrames.Path, Write, TakeOverAsync).WithMetadata(
        new AdminOperation("takeOver", "Hands everything over to another process: what `torbalancer run --takeover` calls")
        {
            AnswerStatus = StatusCodes.Status101SwitchingProtocols,
            Problems = [StatusCodes.Status403Forbidden, StatusCodes.Status426UpgradeRequired],
        });

    private async Task TakeOverAsync(HttpContext context)
    {
        var socket = context.Features.Get<IConnectionSocketFeature>()?.Socket;
        if (!OperatingSystem.IsLinux() || socket is not { AddressFamily: AddressFamily.Unix })
        {
            await context.WriteProblemAsync(StatusCodes.Status403Forbidden, "a takeover goes over the admin API's unix socket alone");
            return;
        }

        PeerCredentials peer;
        try
        {
            peer = PeerCredentials.Of(socket);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // It has gone already, and hears nothing.
            return;
        }

        if (peer.UserId != FileCalls.EffectiveUserId)
        {
            await context.WriteProblemAsync(StatusCodes.Status403Forbidden, "only a process of the daemon's own user may take over");
            return;
        }

        if (context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true } upgrade
            || context.Request.Headers.Upgrade != TakeoverFrames.Protocol)
        {
            context.Response.Headers.Upgrade = TakeoverFrames.Protocol;
            await context.WriteProblemAsync(
                StatusCodes.Status426UpgradeRequired, $"Upgrade must be {TakeoverFrames.Protocol}: call torbalancer run --takeover");
            return;
        }

        context.MoveTo(AdminPlaceState.Working);
        context.Response.Headers.Upgrade = TakeoverFrames.Protocol;
        await using var stream = await upgrade.UpgradeAsync();
        await handOver.RunAsync(stream, socket, peer.ProcessId, context.RequestAborted);
    }
}
