using Microsoft.Extensions.DependencyInjection;

namespace TorBalancer.DependencyInjection;

/// <summary>Short, because the composition says it often.</summary>
internal static class ServiceProviderExtensions
{
    /// <inheritdoc cref="ServiceProviderServiceExtensions.GetRequiredService{T}(IServiceProvider)"/>
    public static T Get<T>(this IServiceProvider provider)
        where T : notnull => provider.GetRequiredService<T>();
}
